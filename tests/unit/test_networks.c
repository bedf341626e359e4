/*
 * test_networks.c - which networks can be listed, and who is in them
 *
 * Would catch an address outside that may send a PROXY header, and one inside
 * that may not.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/networks.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
texts_are_taken_or_not(void **state)
{
    static const char behind[] = "has bits set behind its prefix";
    static const char name[] = "is no numeric address";
    static const char four[] =
        "has no prefix length from 0 to 32 behind its '/'";
    static const char six[] =
        "has no prefix length from 0 to 128 behind its '/'";
    static const struct {
        const char *text, *wrong;
        int length, bits;
    } rows[] = {
        {"10.0.0.0/8", NULL, 4, 8},
        {"10.1.2.3", NULL, 4, 32},
        {"10.1.2.3/32", NULL, 4, 32},
        {"10.1.2.2/31", NULL, 4, 31},
        {"0.0.0.0/0", NULL, 4, 0},
        {"192.168.128.0/17", NULL, 4, 17},
        {"2001:db8::/32", NULL, 16, 32},
        {"2001:db8::1", NULL, 16, 128},
        {"::/0", NULL, 16, 0},
        {"fe80::/10", NULL, 16, 10},
        {"::ffff:10.0.0.0/104", NULL, 4, 8},
        {"::ffff:10.1.2.3", NULL, 4, 32},
        {"::ffff:0.0.0.0/96", NULL, 4, 0},
        {"10.0.0.1/8", behind, 0, 0},
        {"10.1.2.3/31", behind, 0, 0},
        {"128.0.0.0/0", behind, 0, 0},
        {"192.168.128.0/16", behind, 0, 0},
        {"2001:db8::1/32", behind, 0, 0},
        {"::1/0", behind, 0, 0},
        {"::ffff:10.0.0.0/95", behind, 0, 0},
        {"::ffff:10.0.0.1/104", behind, 0, 0},
        {"", name, 0, 0},
        {"/8", name, 0, 0},
        {"localhost", name, 0, 0},
        {"localhost/8", name, 0, 0},
        {"10.0.0", name, 0, 0},
        {"10.0.0.256", name, 0, 0},
        {" 10.0.0.0/8", name, 0, 0},
        {"[::1]", name, 0, 0},
        {"fe80::1%lo", name, 0, 0},
        {"10.0.0.0/", four, 0, 0},
        {"10.0.0.0/33", four, 0, 0},
        {"10.0.0.0/-1", four, 0, 0},
        {"10.0.0.0/+8", four, 0, 0},
        {"10.0.0.0/08", four, 0, 0},
        {"10.0.0.0/8 ", four, 0, 0},
        {"10.0.0.0/8/8", four, 0, 0},
        {"10.0.0.0/255.0.0.0", four, 0, 0},
        {"10.0.0.0/4294967304", four, 0, 0},
        {"::/129", six, 0, 0},
        {"::/", six, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct networks networks = {0};
        const char *wrong = networks_add(&networks, rows[i].text);

        print_message("%s\n", rows[i].text);
        assert_int_equal(networks.count, rows[i].wrong == NULL);
        if (rows[i].wrong != NULL) {
            assert_non_null(wrong);
            assert_string_equal(wrong, rows[i].wrong);
            continue;
        }
        assert_null(wrong);
        assert_int_equal(networks.list[0].length, rows[i].length);
        assert_int_equal(networks.list[0].bits, rows[i].bits);
    }
}

static void
addresses_are_in_or_out(void **state)
{
    static const struct {
        const char *network, *address;
        bool want;
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0", true},
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "9.255.255.255", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
        {"10.0.0.0/8", "::10.1.1.1", false},
        {"10.0.0.0/8", "a00::", false},
        {"::ffff:10.0.0.0/104", "10.1.1.1", true},
        {"::ffff:10.0.0.0/104", "::ffff:10.1.1.1", true},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.2", false},
        {"10.1.2.2/31", "10.1.2.3", true},
        {"10.1.2.2/31", "10.1.2.4", false},
        {"172.16.0.0/12", "172.31.255.255", true},
        {"172.16.0.0/12", "172.32.0.0", false},
        {"0.0.0.0/0", "255.1.2.3", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "10.1.1.1", false},
        {"::/0", "::ffff:10.1.1.1", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::", false},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"::1", "::1", true},
        {"::1", "::2", false},
        {"::1", "127.0.0.1", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct networks networks = {0};
        struct net_address address;

        print_message("%s in %s\n", rows[i].address, rows[i].network);
        assert_null(networks_add(&networks, rows[i].network));
        assert_true(net_numeric(rows[i].address, 50000, &address));
        assert_int_equal(networks_contain(&networks, &address), rows[i].want);
    }
}

/* Would catch a list of which only the first or last counts, or an empty one
 * that contains everybody. */
static void
each_of_the_list_counts(void **state)
{
    struct networks networks = {0};
    struct net_address address;
    char text[32];

    (void)state;
    assert_true(net_numeric("10.0.7.1", 0, &address));
    assert_false(networks_contain(&networks, &address));
    for (int i = 0; i < NETWORKS_MAX; i++) {
        assert_int_equal(networks_contain(&networks, &address), i > 7);
        snprintf(text, sizeof text, "10.0.%d.0/24", i);
        assert_null(networks_add(&networks, text));
    }
    assert_true(networks_contain(&networks, &address));
    assert_string_equal(networks_add(&networks, "::1"), "is one too many");
    assert_int_equal(networks.count, NETWORKS_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_taken_or_not),
        cmocka_unit_test(addresses_are_in_or_out),
        cmocka_unit_test(each_of_the_list_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
