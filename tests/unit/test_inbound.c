/*
 * test_inbound.c - a load balancer's header, read from a socket; backends
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/inbound.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "base/proxy2.h"

static const char behind[] = "what follows";

static int pair[2];
static struct inbound in;
static struct net_address client;
static const char *reason;

static int
setup(void **state)
{
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    in = (struct inbound){.bytes = NULL};
    reason = NULL;
    assert_true(net_numeric("10.0.0.5", 1234, &client));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    inbound_drop(&in);
    net_close(&pair[0]);
    net_close(&pair[1]);
    return 0;
}

static void
say(const void *bytes, size_t length)
{
    assert_int_equal(send(pair[1], bytes, length, 0), (ssize_t)length);
}

static enum inbound_status
hear(void)
{
    return inbound_read(&in, pair[0], &client, &reason);
}

/* A header with so many bytes of TLVs that nobody knows. */
static size_t
header(const char *source, size_t more, uint8_t out[2 * PROXY2_MAX])
{
    struct proxy2 h = {.local = source == NULL};
    struct net_address a;
    size_t size, length;

    if (source != NULL) {
        assert_true(net_numeric(source, 4711, &a));
        h.source.length = a.sa.any.sa_family == AF_INET ? 4 : 16;
        if (h.source.length == 4)
            memcpy(h.source.ip, &a.sa.v4.sin_addr, 4);
        else
            memcpy(h.source.ip, &a.sa.v6.sin6_addr, 16);
        h.source.port = 4711;
        h.destination = h.source;
    }
    size = proxy2_encode(&h, out, PROXY2_MAX);
    assert_true(size > 0);
    if (more == 0)
        return size;
    assert_true(more >= 3);
    memset(out + size, 0, more);
    out[size] = 0xEE;
    out[size + 1] = (uint8_t)((more - 3) >> 8);
    out[size + 2] = (uint8_t)(more - 3);
    length = size - 16 + more;
    out[14] = (uint8_t)(length >> 8);
    out[15] = (uint8_t)length;
    return size + more;
}

static void
check_done(const char *text)
{
    struct net_address want;
    char rest[64] = "";

    assert_true(net_numeric(text, 4711, &want));
    assert_true(net_equal(&client, &want));
    assert_null(in.bytes);
    assert_int_equal(recv(pair[0], rest, sizeof rest, 0), sizeof behind);
    assert_string_equal(rest, behind);
}

/* Would catch a header that takes a byte of the ClientHello behind it. */
static void
what_follows_stays(void **state)
{
    static const char *const sources[] = {"192.0.2.7", "2001:db8::7"};
    uint8_t bytes[2 * PROXY2_MAX];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t size = header(sources[i], 0, bytes);

        memcpy(bytes + size, behind, sizeof behind);
        say(bytes, size + sizeof behind);
        assert_int_equal(hear(), INBOUND_DONE);
        check_done(sources[i]);
    }
}

/* Would catch a header that has to come in one piece. */
static void
byte_by_byte(void **state)
{
    uint8_t bytes[2 * PROXY2_MAX];
    size_t size = header("192.0.2.7", 100, bytes);

    (void)state;
    assert_int_equal(hear(), INBOUND_MORE);
    for (size_t i = 0; i + 1 < size; i++) {
        say(&bytes[i], 1);
        assert_int_equal(hear(), INBOUND_MORE);
    }
    say(&bytes[size - 1], 1);
    say(behind, sizeof behind);
    assert_int_equal(hear(), INBOUND_DONE);
    check_done("192.0.2.7");
}

/* Would catch a longest header that does not fit, or one that is longer and
 * overflows, or is waited for. */
static void
longest(void **state)
{
    uint8_t bytes[2 * PROXY2_MAX];
    size_t more = PROXY2_MAX - header("192.0.2.7", 0, bytes);
    size_t size = header("192.0.2.7", more, bytes);

    (void)state;
    assert_int_equal(size, PROXY2_MAX);
    memcpy(bytes + size, behind, sizeof behind);
    say(bytes, size + sizeof behind);
    assert_int_equal(hear(), INBOUND_DONE);
    check_done("192.0.2.7");

    size = header("192.0.2.7", more + 1, bytes);
    say(bytes, 16);
    assert_int_equal(hear(), INBOUND_BROKEN);
    assert_non_null(reason);
    assert_null(in.bytes);
}

/* Would catch a health check that is anybody's but the balancer's own. */
static void
local_leaves_the_client(void **state)
{
    uint8_t bytes[2 * PROXY2_MAX];
    struct net_address before = client;

    (void)state;
    say(bytes, header(NULL, 0, bytes));
    assert_int_equal(hear(), INBOUND_DONE);
    assert_true(net_equal(&client, &before));
}

/* Would catch a port that waits for ever for what cannot become a header, or
 * takes it for one. */
static void
broken(void **state)
{
    static const char *const texts[] = {
        "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00",
        "\r\n\r\nX",
        "\r\n\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        setup(state);
        say(texts[i], strlen(texts[i]));
        assert_int_equal(hear(), INBOUND_BROKEN);
        assert_non_null(reason);
        assert_null(in.bytes);
        teardown(state);
    }
    setup(state);
}

/* Would catch a header that is cut off, and believed, or taken for a probe; and
 * a probe that is taken for a failure. */
static void
ends_early(void **state)
{
    uint8_t bytes[2 * PROXY2_MAX];
    size_t size = header("192.0.2.7", 0, bytes);

    for (size_t n = 0; n < size; n++) {
        setup(state);
        say(bytes, n);
        assert_int_equal(hear(), INBOUND_MORE);
        net_close(&pair[1]);
        assert_int_equal(hear(), n == 0 ? INBOUND_PROBE : INBOUND_BROKEN);
        assert_null(in.bytes);
        teardown(state);
    }
    setup(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_follows_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(longest, setup, teardown),
        cmocka_unit_test_setup_teardown(local_leaves_the_client, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(broken, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_early, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
