/*
 * test_hostname.c - what can be the host name of a certificate
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "certs/hostname.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "certs/factory.h"

#define X61 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X63 X61 "xx"

/* Would catch a host name that no certificate can carry being accepted. */
static void
refused_hostnames(void **state)
{
    static const char *const flawed[] = {
        "",
        "a b",
        "a\tb",
        "a\n",
        "m\xc3\xbcnchen.example",
        "a\x7f",
        X63 "." X63 "." X63 "." X61 "x" /* 254 */,
    };

    (void)state;
    for (size_t i = 0; i < sizeof flawed / sizeof flawed[0]; i++) {
        const char *const names[] = {"localhost", flawed[i]};

        assert_null(cert_set_new(names, 2));
    }
    assert_null(cert_set_new(NULL, 0));
}

/* Would catch a name that becomes an address, or the other way round: OpenSSL's
 * own parser takes more for one. */
static void
addresses(void **state)
{
    static const struct {
        const char *hostname;
        size_t length;
        const char *bytes;
    } rows[] = {
        {"127.0.0.1", 4, "\x7f\0\0\1"},
        {"::1", 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
        {"localhost", 0, ""},
        {"+1.2.3.4", 0, ""},
        {"1.2.3", 0, ""},
        {"1.2.3.4.", 0, ""},
        {"[::1]", 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned char bytes[16];

        assert_int_equal(hostname_address(rows[i].hostname, bytes),
                         rows[i].length);
        assert_memory_equal(bytes, rows[i].bytes, rows[i].length);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_hostnames),
        cmocka_unit_test(addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
