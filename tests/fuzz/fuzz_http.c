/*
 * fuzz_http.c - whole requests to the HTTP server on the base port
 *
 * Over TCP on loopback, in pieces, through libmicrohttpd to the routes.
 *
 * Input: one byte for the size of the pieces, what the client sends.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/net.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

/* More turns of the loop than any answer, and any end, needs. */
#define TURNS_MAX  200
#define PIECES_MAX 64

static struct {
    struct ev_loop *loop;
    struct http *http;
    struct net_address address;
    unsigned calls; /* of the handler, in this run */
    unsigned found; /* those that gave 200 */
} server;

static void
handle(void *context, const struct http_request *request,
       struct http_reply *reply)
{
    struct http_request now = *request;

    now.waiting = HTTP_WAITED; /* nothing happens here to wait for */
    routes_answer(context, &now, reply);
    served_check(request->path, reply);
    server.calls++;
    server.found += reply->status == 200;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int fd;

    (void)argc, (void)argv;
    log_setup("fuzz", LOG_TEXT, LOG_ERROR);
    REQUIRE(net_numeric("127.0.0.1", 0, &server.address));
    fd = net_listen(&server.address, false);
    REQUIRE(fd != -1);
    server.loop = ev_loop_new(EVFLAG_AUTO);
    REQUIRE(server.loop != NULL);
    server.http = http_new(&(struct http_task){.loop = server.loop,
                                               .fds = &fd,
                                               .fd_count = 1,
                                               .most = 256,
                                               .handler = handle,
                                               .context = served()});
    REQUIRE(server.http != NULL);
    return 0;
}

static int
connect_client(void)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int fd = net_connect(&server.address);

    REQUIRE(fd != -1 && net_error(fd) == 0);
    /* No TIME_WAIT: there are only so many ports. */
    REQUIRE(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    return fd;
}

/* Keep what comes, as far as there is room.  True at the end of file. */
static bool
hear(int fd, uint8_t *out, size_t room, size_t *used)
{
    uint8_t rest[4096];
    size_t dropped = 0;
    bool end = false;

    ev_run(server.loop, EVRUN_NOWAIT);
    if (*used < room)
        end = fuzz_read(fd, out, room, used);
    if (*used == room)
        end = fuzz_read(fd, rest, sizeof rest, &dropped);
    return end;
}

/* Send the input, end it, and take the answers.  The server need not close: it
 * waits a while for the rest of a request that is cut off. */
static size_t
converse(int fd, const uint8_t *bytes, size_t length, size_t piece,
         uint8_t *out, size_t room)
{
    size_t used = 0;
    bool end = false;

    for (size_t at = 0; at < length && !end;) {
        size_t n = piece < length - at ? piece : length - at;
        ssize_t sent = send(fd, bytes + at, n, MSG_NOSIGNAL);

        if (sent == -1 && errno != EAGAIN)
            break;
        at += sent > 0 ? (size_t)sent : 0;
        end = hear(fd, out, room, &used);
    }
    shutdown(fd, SHUT_WR);
    for (int turns = 0; turns < TURNS_MAX && !end; turns++)
        end = hear(fd, out, room, &used);
    return used;
}

/* True if a line begins so.  It need not be the first: libmicrohttpd steps over
 * empty lines, and over those that begin with a NUL. */
static bool
has_line(const uint8_t *bytes, size_t length, const char *with)
{
    size_t n = strlen(with);

    for (size_t at = 0; at + n <= length; at++)
        if ((at == 0 || bytes[at - 1] == '\n')
            && memcmp(bytes + at, with, n) == 0)
            return true;
    return false;
}

/*
 * The first answer: a status we know, and headers that it must have.  It may be
 * missing: libmicrohttpd drops some requests whose client is at its end.
 */
static void
check_answer(const char *answer, const uint8_t *asked, size_t length)
{
    static const char nosniff[] = "\r\nX-Content-Type-Options: nosniff\r\n";
    const char *headers_end = strstr(answer, "\r\n\r\n");
    const char *nosniff_at = strcasestr(answer, nosniff);
    int status = 0;

    if (*answer == '\0')
        return;
    REQUIRE(sscanf(answer, "HTTP/1.%*1[01] %3d", &status) == 1);
    REQUIRE(headers_end != NULL);
    if (status == 100) {
        check_answer(headers_end + 4, asked, length);
        return;
    }
    REQUIRE(status == 200 || (status >= 400 && status < 500) || status == 501
            || status == 505);
    if (status == 200 || status == 404 || status == 405)
        REQUIRE(nosniff_at != NULL && nosniff_at < headers_end);
    if (status == 200) {
        REQUIRE(server.found > 0);
        REQUIRE(has_line(asked, length, "GET")
                || has_line(asked, length, "HEAD"));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static char answer[32 * 1024];
    struct fuzz_input input = {bytes, length};
    size_t piece = (size_t)fuzz_byte(&input) * 8 + 1;
    int lowest = fuzz_free_descriptor();
    int fd = connect_client();
    size_t used;

    if (piece < input.left / PIECES_MAX)
        piece = input.left / PIECES_MAX;
    server.calls = server.found = 0;
    used = converse(fd, input.at, input.left, piece, (uint8_t *)answer,
                    sizeof answer - 1);
    answer[used] = '\0';
    REQUIRE(server.calls == 0 || used > 0);
    check_answer(answer, input.at, input.left);
    net_close(&fd);
    for (int turns = 0; fuzz_free_descriptor() != lowest; turns++) {
        REQUIRE(turns < TURNS_MAX);
        ev_run(server.loop, EVRUN_NOWAIT);
    }
    return 0;
}
