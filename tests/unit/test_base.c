/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/net.h"
#include "base/wire.h"

/* A queue that wraps or forgets to move its bytes loses or repeats some. */
static void
buf_keeps_order(void **state)
{
    uint8_t storage[7];
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    struct buf buf;

    (void)state;
    buf_init(&buf, storage, sizeof storage);
    for (size_t turn = 0; turn < 1000; turn++) {
        size_t in = turn * 5 % (buf_room(&buf) + 1);
        size_t out;
        uint8_t *space = buf_space(&buf);

        for (size_t i = 0; i < in; i++)
            space[i] = next_in++;
        buf_commit(&buf, in);
        out = turn * 3 % (buf.length + 1);
        for (size_t i = 0; i < out; i++)
            assert_int_equal(buf_peek(&buf)[i], next_out++);
        buf_consume(&buf, out);
        assert_int_equal(buf.length + buf_room(&buf), sizeof storage);
    }
    assert_true(next_in > 0 && (uint8_t)(next_in - next_out) == buf.length);
}

static void
buf_append_is_all_or_nothing(void **state)
{
    uint8_t storage[4];
    struct buf buf;

    (void)state;
    buf_init(&buf, storage, sizeof storage);
    assert_true(buf_append(&buf, "abc", 3));
    assert_false(buf_append(&buf, "de", 2));
    assert_int_equal(buf.length, 3);
    buf_consume(&buf, 2);
    assert_true(buf_append(&buf, "def", 3));
    assert_memory_equal(buf_peek(&buf), "cdef", 4);
    assert_int_equal(buf_room(&buf), 0);
}

/* An error that is not sticky lets a parser read on behind a gap. */
static void
wire_error_is_sticky(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6};
    struct wire_reader r = wire_reader(bytes, sizeof bytes);

    (void)state;
    assert_int_equal(wire_be(&r, 2), 0x0102);
    assert_int_equal(wire_le(&r, 2), 0x0403);
    assert_false(r.failed);
    assert_int_equal(wire_be(&r, 4), 0);
    assert_true(r.failed);
    assert_int_equal(wire_be(&r, 1), 0);
    assert_int_equal(wire_take(&r, 0).length, 0);
}

static void
wire_writes_what_it_reads(void **state)
{
    uint8_t room[14];
    struct wire_writer w = wire_writer(room, sizeof room);
    struct wire_reader r = wire_reader(room, sizeof room);

    (void)state;
    wire_put_be(&w, 0x0102030405060708, 8);
    wire_put_le(&w, 0xbeef, 2);
    wire_put(&w, "text", 4);
    assert_false(w.failed);
    wire_put_be(&w, 1, 1);
    assert_true(w.failed);
    assert_true(wire_be(&r, 8) == 0x0102030405060708);
    assert_int_equal(wire_le(&r, 2), 0xbeef);
    assert_memory_equal(wire_take(&r, 4).bytes, "text", 4);
}

/* A terminal escape or a newline in a server name must not reach the log. */
static void
log_escapes_all_but_plain_text(void **state)
{
    char out[64];
    uint8_t all[256];
    char big[4 * 256 + 1];

    (void)state;
    assert_string_equal(log_escape(out, sizeof out, "a\"b\\\n\x1b[2J", 9),
                        "a\\\"b\\\\\\x0a\\x1b[2J");
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    log_escape(big, sizeof big, all, sizeof all);
    for (const char *c = big; *c != '\0'; c++)
        assert_in_range(*c, 0x20, 0x7e);
}

static void
log_escape_marks_a_cut(void **state)
{
    char guard[12];

    (void)state;
    for (size_t room = 1; room <= 10; room++) {
        memset(guard, '#', sizeof guard);
        log_escape(guard, room, "\n\n\n\n", 4);
        assert_int_equal(guard[room], '#');
        assert_true(memchr(guard, '\0', room) != NULL);
        if (room >= 4)
            assert_non_null(strstr(guard, "..."));
    }
    assert_string_equal(log_escape(guard, 5, "abcd", 4), "abcd");
    assert_string_equal(log_escape(guard, 5, "abcde", 5), "a...");
}

static void
addresses_are_split(void **state)
{
    static const struct {
        const char *text, *host;
        int port; /* -1: an error */
    } cases[] = {
        {"localhost:50000", "localhost", 50000},
        {"127.0.0.1:0", "127.0.0.1", 0},
        {"[::1]:65535", "::1", 65535},
        {":80", "", 80},
        {"localhost", NULL, -1},
        {"localhost:", NULL, -1},
        {"localhost:65536", NULL, -1},
        {"localhost:000080", NULL, -1},
        {"localhost:-1", NULL, -1},
        {"localhost:8 0", NULL, -1},
        {"::1:80", NULL, -1},
        {"[::1:80", NULL, -1},
        {"[::1]80", NULL, -1},
        {"", NULL, -1},
        {"[", NULL, -1},
        {"[]:", NULL, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char host[NET_HOST_MAX];
        uint16_t port;
        const char *problem = net_split(cases[i].text, host, &port);

        if (cases[i].port == -1) {
            assert_non_null(problem);
            continue;
        }
        assert_null(problem);
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

static void
long_hosts_are_refused(void **state)
{
    char text[NET_HOST_MAX + 16];
    char host[NET_HOST_MAX];
    uint16_t port;

    (void)state;
    memset(text, 'a', sizeof text);
    strcpy(text + NET_HOST_MAX - 1, ":1");
    assert_null(net_split(text, host, &port));
    memset(text, 'a', sizeof text);
    strcpy(text + NET_HOST_MAX, ":1");
    assert_non_null(net_split(text, host, &port));
}

static void
addresses_are_shown(void **state)
{
    static const struct {
        const char *host, *shown;
        bool loopback;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1:99", true},
        {"127.9.9.9", "127.9.9.9:99", true},
        {"10.0.0.1", "10.0.0.1:99", false},
        {"::1", "[::1]:99", true},
        {"fe80::1", "[fe80::1]:99", false},
        {"::ffff:127.0.0.1", "127.0.0.1:99", true},
        {"::ffff:10.0.0.1", "10.0.0.1:99", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net_address address;
        char text[NET_TEXT_MAX];

        assert_true(net_numeric(cases[i].host, 99, &address));
        assert_string_equal(net_text(&address, text), cases[i].shown);
        assert_int_equal(net_is_loopback(&address), cases[i].loopback);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_keeps_order),
        cmocka_unit_test(buf_append_is_all_or_nothing),
        cmocka_unit_test(wire_error_is_sticky),
        cmocka_unit_test(wire_writes_what_it_reads),
        cmocka_unit_test(log_escapes_all_but_plain_text),
        cmocka_unit_test(log_escape_marks_a_cut),
        cmocka_unit_test(addresses_are_split),
        cmocka_unit_test(long_hosts_are_refused),
        cmocka_unit_test(addresses_are_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
