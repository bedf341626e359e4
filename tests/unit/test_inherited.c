/*
 * test_inherited.c - sockets as systemd passes them on
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/inherited.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define FIRST 3

static struct net_address
address_of(const char *host, uint16_t port)
{
    struct net_address address;

    assert_true(net_numeric(host, port, &address));
    return address;
}

/* A blocking socket at descriptor FIRST + at, bound to host and any port. */
static struct net_address
place(int at, const char *host, int type, bool listening)
{
    struct net_address address = address_of(host, 0);
    int fd = socket(address.sa.any.sa_family, type, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &address.sa.any, address.length), 0);
    if (listening)
        assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, &address.sa.any, &address.length), 0);
    if (fd != FIRST + at) {
        assert_int_equal(dup2(fd, FIRST + at), FIRST + at);
        close(fd);
    }
    return address;
}

static void
announce(const char *count, const char *names)
{
    char pid[16];

    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", count, 1);
    if (names != NULL)
        setenv("LISTEN_FDNAMES", names, 1);
}

/* Whatever a test leaves open would be another one's descriptor 3. */
static int
clean(void **state)
{
    (void)state;
    inherited_warn_untaken();
    close_range(FIRST, ~0u, 0);
    return 0;
}

static bool
is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

static int
tcp_option(int fd, int name)
{
    int value = -1;
    socklen_t length = sizeof value;

    assert_int_equal(getsockopt(fd, IPPROTO_TCP, name, &value, &length), 0);
    return value;
}

static void
sockets_are_found_by_address(void **state)
{
    struct net_address one = place(0, "127.0.0.1", SOCK_STREAM, true);
    struct net_address two = place(1, "127.0.0.2", SOCK_STREAM, true);
    struct net_address all = place(2, "0.0.0.0", SOCK_STREAM, true);
    struct net_address other;

    (void)state;
    announce("3", "one:two:all");
    assert_int_equal(net_guard_standard(), 0);
    assert_int_equal(inherited_open(), 0);
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_FDNAMES"));

    /* Nothing that is only near it. */
    other = address_of("127.0.0.1", 0);
    assert_int_equal(inherited_take(&other), -1);
    other = address_of("0.0.0.0", net_port(&one));
    assert_int_equal(inherited_take(&other), -1);
    other = address_of("127.0.0.1", net_port(&all));
    assert_int_equal(inherited_take(&other), -1);
    other = address_of("::", net_port(&all));
    assert_int_equal(inherited_take(&other), -1);

    assert_int_equal(inherited_take(&two), FIRST + 1);
    assert_int_equal(inherited_take(&two), -1);
    assert_int_equal(inherited_take(&one), FIRST);
    assert_int_equal(inherited_take(&all), FIRST + 2);
    assert_true(fcntl(FIRST, F_GETFL) & O_NONBLOCK);
    assert_int_equal(fcntl(FIRST, F_GETFD), FD_CLOEXEC);
    assert_int_equal(tcp_option(FIRST, TCP_NODELAY), 1);
    inherited_warn_untaken();
    assert_true(is_open(FIRST) && is_open(FIRST + 1) && is_open(FIRST + 2));
}

/* Would catch a socket that accepts in the kernel and is served by nobody. */
static void
untaken_ones_are_closed(void **state)
{
    struct net_address one = place(0, "127.0.0.1", SOCK_STREAM, true);

    (void)state;
    place(1, "127.0.0.1", SOCK_STREAM, true);
    announce("2", NULL);
    assert_int_equal(inherited_open(), 0);
    assert_int_equal(inherited_take(&one), FIRST);
    inherited_warn_untaken();
    assert_true(is_open(FIRST) && !is_open(FIRST + 1));
    assert_int_equal(inherited_take(&one), -1);
}

static void
ipv6_is_no_exception(void **state)
{
    struct net_address here = address_of("::1", 0);
    int probe = net_listen(&here, false);

    (void)state;
    if (probe == -1)
        skip();
    net_close(&probe);
    here = place(0, "::1", SOCK_STREAM, true);
    announce("1", "web");
    assert_int_equal(inherited_open(), 0);
    assert_int_equal(inherited_take(&here), FIRST);
}

/* Would catch the sockets of a parent that we would take for ours. */
static void
what_is_for_others_is_left_alone(void **state)
{
    struct net_address one = place(0, "127.0.0.1", SOCK_STREAM, true);

    (void)state;
    announce("1", NULL);
    setenv("LISTEN_PID", "1", 1);
    assert_int_equal(inherited_open(), 0);
    assert_int_equal(inherited_take(&one), -1);
    assert_null(getenv("LISTEN_FDS"));
    assert_true(is_open(FIRST));
    assert_int_equal(inherited_open(), 0);
}

static void
others_are_errors(void **state)
{
    static const struct {
        int type;
        bool listening;
        const char *count, *names, *error;
    } cases[] = {
        {SOCK_STREAM, false, "1", "x:y",
         "inherited descriptor 3 (x): it does not listen (Accept=yes is not "
         "supported)"},
        {SOCK_DGRAM, false, "1", "a\nb",
         "inherited descriptor 3 (a\\x0ab): not a TCP socket"},
        {SOCK_STREAM, true, "2", ":two",
         "inherited descriptor 4 (two): Bad file descriptor"},
        {SOCK_STREAM, true, "9999999999", NULL,
         "LISTEN_FDS '9999999999': not a number from 0 to 1024"},
        {SOCK_STREAM, true, "-1", NULL,
         "LISTEN_FDS '-1': not a number from 0 to 1024"},
        {SOCK_STREAM, true, "", NULL,
         "LISTEN_FDS '': not a number from 0 to 1024"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        place(0, "127.0.0.1", cases[i].type, cases[i].listening);
        announce(cases[i].count, cases[i].names);
        assert_int_equal(inherited_open(), -1);
        assert_string_equal(log_last_error(), cases[i].error);
        clean(state);
    }
    assert_int_equal(dup2(STDIN_FILENO, FIRST), FIRST);
    announce("1", NULL);
    assert_int_equal(inherited_open(), -1);
    assert_string_equal(log_last_error(), "inherited descriptor 3 (unknown): "
                                          "Socket operation on non-socket");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sockets_are_found_by_address, clean),
        cmocka_unit_test_teardown(untaken_ones_are_closed, clean),
        cmocka_unit_test_teardown(ipv6_is_no_exception, clean),
        cmocka_unit_test_teardown(what_is_for_others_is_left_alone, clean),
        cmocka_unit_test_teardown(others_are_errors, clean),
    };

    log_setup("test", LOG_TEXT, LOG_ERROR);
    clean(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
