/*
 * test_http.c - the HTTP server's connections, over loopback in one process
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/http.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define TURNS_MAX 1000

static struct ev_loop *loop;
static struct http *http;
static struct net_address address;
static int listener;

static void
find_nothing(void *context, const struct http_request *request,
             struct http_reply *reply)
{
    (void)context, (void)request, (void)reply;
}

static int
start(void **state)
{
    (void)state;
    assert_true(net_numeric("127.0.0.1", 0, &address));
    listener = net_listen(&address, false);
    assert_int_not_equal(listener, -1);
    loop = ev_loop_new(EVFLAG_AUTO);
    assert_non_null(loop);
    http = http_new(&(struct http_task){.loop = loop,
                                        .fds = &listener,
                                        .fd_count = 1,
                                        .most = 256,
                                        .handler = find_nothing});
    return http != NULL ? 0 : -1;
}

static int
stop(void **state)
{
    (void)state;
    http_free(http);
    ev_loop_destroy(loop);
    net_close(&listener);
    return 0;
}

/* Run the server without waiting; true once the client heard the end. */
static bool
hear_end(int fd, char *out, size_t room)
{
    size_t used = 0;

    for (int turns = 0; turns < TURNS_MAX; turns++) {
        ssize_t n;

        ev_run(loop, EVRUN_NOWAIT);
        n = recv(fd, out + used, room - 1 - used, 0);
        if (n == -1 && errno == EAGAIN)
            continue;
        if (n <= 0)
            return true;
        used += (size_t)n;
        out[used] = '\0';
    }
    return false;
}

/* Would catch a client that ends its side with its request and has to wait 15 s
 * for the server's end. */
static void
end_with_the_request_is_an_end(void **state)
{
    static const char request[] = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";

    (void)state;
    for (int requests = 1; requests < 4; requests++) {
        int fd = net_connect(&address);
        char answer[4096] = "";

        assert_int_not_equal(fd, -1);
        assert_int_equal(net_error(fd), 0);
        /* All of it is there before the server looks. */
        for (int i = 0; i < requests; i++)
            assert_int_equal(send(fd, request, sizeof request - 1, 0),
                             sizeof request - 1);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        assert_true(hear_end(fd, answer, sizeof answer));
        assert_int_equal(strncmp(answer, "HTTP/1.1 404 ", 13), 0);
        net_close(&fd);
    }
}

static void
wait_for_ever(void *context, const struct http_request *request,
              struct http_reply *reply)
{
    (void)context;
    if (request->waiting == HTTP_MAY_WAIT)
        reply->hold = 1000;
}

/* Would catch a server whose end is an abort, as a request that is to be held
 * came in the same moment. */
static void
nothing_is_held_at_the_end(void **state)
{
    static const char request[] = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";
    struct ev_loop *own = ev_loop_new(EVFLAG_AUTO);
    struct http *waits =
        http_new(&(struct http_task){.loop = own,
                                     .fds = &listener,
                                     .fd_count = 1,
                                     .most = 256,
                                     .handler = wait_for_ever});
    int fd = net_connect(&address);

    (void)state;
    assert_non_null(waits);
    assert_int_not_equal(fd, -1);
    assert_int_equal(net_error(fd), 0);
    for (int i = 0; i < TURNS_MAX && http_counters(waits)->open < 1; i++)
        ev_run(own, EVRUN_NOWAIT);
    assert_int_equal(http_counters(waits)->open, 1);
    assert_int_equal(send(fd, request, sizeof request - 1, 0),
                     sizeof request - 1);
    http_free(waits);
    net_close(&fd);
    ev_loop_destroy(own);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_held_at_the_end),
        cmocka_unit_test(end_with_the_request_is_an_end),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
