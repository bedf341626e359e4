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
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_name_is_a_part_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
