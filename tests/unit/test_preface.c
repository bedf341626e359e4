/*
 * test_preface.c - the PROXY header that the simulator gets
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/preface.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/proxy2.h"

static void
check_address(const struct proxy2_address *is, const struct net_address *want)
{
    assert_int_equal(is->port, net_port(want));
    if (want->sa.any.sa_family == AF_INET) {
        assert_int_equal(is->length, 4);
        assert_memory_equal(is->ip, &want->sa.v4.sin_addr, 4);
    } else {
        assert_int_equal(is->length, 16);
        assert_memory_equal(is->ip, &want->sa.v6.sin6_addr, 16);
    }
}

/* Would catch a client certificate whose organisation is called "x,CN=admin"
 * and that is taken for admin's. */
static void
common_name_is_a_part_of_its_own(void **state)
{
    static const struct {
        const char *subject, *name;
    } cases[] = {
        {"CN=client2,O=Org client2", "client2"},
        {"O=Org client2,CN=client2", "client2"},
        {"O=x+CN=client2", "client2"},
        {"O=x\\,CN=admin,CN=client2", "client2"},
        {"O=x\\+CN=admin", ""},
        {"O=x\\\\,CN=client2", "client2"},
        {"CN=a\\,b,O=x", "a\\,b"},
        {"XCN=admin", ""},
        {"CN=", ""},
        {"O=x\\", ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event event = {.tls = true, .tls_version = 0x0304};
        uint8_t bytes[PROXY2_MAX];
        struct net_address local;
        struct proxy2 header;
        const char *reason;
        size_t size, decoded;

        assert_true(net_numeric("192.0.2.9", 999, &event.client));
        assert_true(net_numeric("127.0.0.1", 4307, &local));
        event_bytes_set(&event.client_subject, cases[i].subject,
                        strlen(cases[i].subject));
        size = preface_write(&event, &local, "clientauth", NULL, bytes,
                             sizeof bytes);
        assert_int_equal(proxy2_decode(bytes, size, &header, &decoded, &reason),
                         PROXY2_OK);
        assert_int_equal(header.tls_cn.length, strlen(cases[i].name));
        if (header.tls_cn.length > 0)
            assert_memory_equal(header.tls_cn.bytes, cases[i].name,
                                header.tls_cn.length);
        event_clear(&event);
    }
}

/* Would catch a client that a load balancer has named, over a connection of the
 * other address family, and of whom the backend learns nothing. */
static void
families_may_differ(void **state)
{
    static const struct {
        const char *client, *local, *source, *destination;
    } cases[] = {
        {"192.0.2.9", "127.0.0.1", "192.0.2.9", "127.0.0.1"},
        {"2001:db8::9", "::1", "2001:db8::9", "::1"},
        {"2001:db8::9", "127.0.0.1", "2001:db8::9", "::ffff:127.0.0.1"},
        {"192.0.2.9", "::1", "::ffff:192.0.2.9", "::1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net_address local, source, destination;
        struct event event = {.tls = false};
        uint8_t bytes[PROXY2_MAX];
        struct proxy2 header;
        const char *reason;
        size_t size, decoded;

        assert_true(net_numeric(cases[i].client, 999, &event.client));
        assert_true(net_numeric(cases[i].local, 4307, &local));
        assert_true(net_numeric(cases[i].source, 999, &source));
        assert_true(net_numeric(cases[i].destination, 4307, &destination));
        size = preface_write(&event, &local, NULL, NULL, bytes, sizeof bytes);
        assert_int_equal(proxy2_decode(bytes, size, &header, &decoded, &reason),
                         PROXY2_OK);
        check_address(&header.source, &source);
        check_address(&header.destination, &destination);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_name_is_a_part_of_its_own),
        cmocka_unit_test(families_may_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
