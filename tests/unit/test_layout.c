/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parse_line.h"
#include "proxy/layout.h"

static int
plan(struct layout *layout, const char *line, char reason[256])
{
    struct settings settings;

    assert_int_equal(parse(&settings, line), OPTIONS_RUN);
    return layout_plan(layout, &settings, reason, 256);
}

static unsigned
number_of(const struct layout *layout, const char *name)
{
    const struct port *port = layout_find(layout, name);

    assert_non_null(port);
    return port->number;
}

/* Client suites hard-code these numbers: a row that moves breaks them. */
static void
sequential_numbers_are_the_contract(void **state)
{
    static const char *const order[] = {"server1",        "server2",
                                        "server3",        "plain",
                                        "expiredcert",    "tls12",
                                        "clientauth",     "sni",
                                        "alpn_mapi9",     "redirect",
                                        "silent",         "hangup",
                                        "garbage",        "alert",
                                        "tls11",          "truncate",
                                        "cut_message",    "tiny_records",
                                        "slow",           "key_update",
                                        "redirect_plain", "redirect_badhash",
                                        "redirect_loop",  "login",
                                        "trusted"};
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(
        plan(&layout, "-p 4300 --sequential --ports classic", reason), 0);
    assert_int_equal(layout.count, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(number_of(&layout, order[i]), 4301 + i);
    assert_int_equal(plan(&layout,
                          "-p 4300 --sequential --trusted-cert c "
                          "--trusted-key k",
                          reason),
                     0);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        assert_int_equal(number_of(&layout, order[i]), 4301 + i);
}

/* Would catch an extended row that moves because another is absent, and groups
 * that take numbers although they are not asked for.  Only `forward`, the last
 * of the classic rows, never has a number of the sequence. */
static void
extended_numbers_follow_the_table(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(plan(&layout, "-p 4300 --sequential", reason), 0);
    for (size_t i = 0; i < layout.count; i++)
        assert_int_equal(
            layout.ports[i].number,
            4301 + (layout.ports[i].policy - port_table)
                - (layout.ports[i].policy->group != GROUP_CLASSIC));
    assert_int_equal(
        plan(&layout, "-p 4300 --sequential --ports chains", reason), 0);
    assert_int_equal(layout.count, 24);
    assert_int_equal(number_of(&layout, "ecdsa"), 4301);
    assert_int_equal(number_of(&layout, "large"), 4324);
}

/* Would catch a classic port, or one that -a names, being left out in silence
 * where its number is taken, and a number that moves with what is left out. */
static void
only_extended_rows_are_spare(void **state)
{
    struct layout layout;
    char reason[256];
    size_t count;

    (void)state;
    assert_int_equal(plan(&layout, "-p 4300 --sequential -a sha1=5000", reason),
                     0);
    for (size_t i = 0; i < layout.count; i++) {
        const struct port *port = &layout.ports[i];

        assert_int_equal(port->spare, port->policy->group != GROUP_CLASSIC
                                          && port->number != 5000);
    }
    count = layout.count;
    layout_remove(&layout, count - 2);
    assert_int_equal(layout.count, count - 1);
    assert_null(layout_find(&layout, "sha1"));
    assert_int_equal(layout_find(&layout, "large")->index, count - 1);
    layout_remove(&layout, count - 2);
    assert_null(layout_find(&layout, "large"));

    assert_int_equal(plan(&layout, "-p 4300", reason), 0);
    for (size_t i = 0; i < layout.count; i++)
        assert_false(layout.ports[i].spare);
}

/* Would catch a redirect to a port that is not there, which crashes a worker,
 * and rows that move when others are absent. */
static void
hostile_ports_keep_their_numbers(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(
        plan(&layout, "-p 4300 --sequential --ports hostile", reason), 0);
    assert_int_equal(number_of(&layout, "silent"), 4301);
    assert_null(layout_find(&layout, "redirect_plain"));
    assert_null(layout_find(&layout, "redirect_badhash"));
    assert_int_equal(number_of(&layout, "redirect_loop"), 4313);
    assert_int_equal(number_of(&layout, "login"), 4314);
    assert_null(layout_find(&layout, "trusted"));
}

static void
given_numbers_are_skipped(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(plan(&layout,
                          "-p 4300 --sequential -a plain=4302 "
                          "-f 4304:localhost:50000",
                          reason),
                     0);
    assert_int_equal(number_of(&layout, "server1"), 4301);
    assert_int_equal(number_of(&layout, "plain"), 4302);
    assert_int_equal(number_of(&layout, "server2"), 4303);
    assert_int_equal(number_of(&layout, "forward"), 4304);
    assert_int_equal(number_of(&layout, "server3"), 4305);
    assert_int_equal(number_of(&layout, "expiredcert"), 4306);
}

static void
simulator_ports_need_the_simulator(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(plan(&layout, "-p 4300 -b localhost:50000", reason), 0);
    assert_null(layout_find(&layout, "redirect"));
    assert_null(layout_find(&layout, "forward"));
    assert_non_null(layout_find(&layout, "alpn_mapi9"));
    assert_non_null(layout_find(&layout, "silent"));
    assert_non_null(layout_find(&layout, "tls11"));
    assert_null(layout_find(&layout, "truncate"));
    assert_null(layout_find(&layout, "slow"));
    assert_null(layout_find(&layout, "key_update"));
    assert_null(layout_find(&layout, "redirect_loop"));
}

static void
advertised_numbers_are_shifted(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(
        plan(&layout, "-p 4300 --sequential --advertise-base 14300", reason),
        0);
    assert_int_equal(layout_advertised(&layout, 4302), 14302);
}

static void
impossible_layouts_name_the_culprit(void **state)
{
    static const struct {
        const char *line, *culprit;
    } cases[] = {
        {"-p 1 -a nosuch=5", "nosuch"},
        {"-p 1 -a plain=5 -a plain=6", "plain"},
        {"-p 1 -a plain=5 -a sni=5", "sni"},
        {"-p 5 -a plain=5", "base"},
        {"-p 1 -a forward=5 -f 6:localhost:7", "forward"},
        {"-p 1 -a plain=6 -f 6:localhost:7", "6"},
        {"-p 65530 --sequential", "65530"},
    };
    struct layout layout;
    char reason[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(plan(&layout, cases[i].line, reason), -1);
        assert_non_null(strstr(reason, cases[i].culprit));
    }
}

/* Would catch a port map that shows port 0 because the shift wrapped. */
static void
shifted_numbers_stay_numbers(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(
        plan(&layout,
             "-p 4300 --sequential --ports classic --advertise-base 65525",
             reason),
        0);
    assert_int_equal(layout_advertised(&layout, 4310), 65535);
    assert_int_equal(
        plan(&layout,
             "-p 4300 --sequential --ports classic --advertise-base 65526",
             reason),
        -1);
    assert_string_equal(
        reason, "--advertise-base 65526 would show 'redirect' as port 65536");
    assert_int_equal(
        plan(&layout, "-p 4300 --sequential --advertise-base 300 -a plain=4000",
             reason),
        -1);
    assert_string_equal(reason,
                        "--advertise-base 300 would show 'plain' as port 0");
}

/* Would catch a base port that was good for the classic ports, and is no more
 * because there are others now. */
static void
what_has_no_number_stays_off(void **state)
{
    struct layout layout;
    char reason[256];
    size_t all;

    (void)state;
    assert_int_equal(plan(&layout, "-p 4300 --sequential", reason), 0);
    assert_int_equal(layout.beyond, 0);
    all = layout.count;
    assert_int_equal(plan(&layout, "-p 65525 --sequential", reason), 0);
    assert_int_equal(layout.count, 10);
    assert_int_equal(layout.beyond, all - 10);
    assert_int_equal(number_of(&layout, "redirect"), 65535);
    assert_int_equal(
        plan(&layout, "-p 4300 --sequential --advertise-base 65524", reason),
        0);
    assert_int_equal(layout.count, 11);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequential_numbers_are_the_contract),
        cmocka_unit_test(extended_numbers_follow_the_table),
        cmocka_unit_test(only_extended_rows_are_spare),
        cmocka_unit_test(hostile_ports_keep_their_numbers),
        cmocka_unit_test(given_numbers_are_skipped),
        cmocka_unit_test(simulator_ports_need_the_simulator),
        cmocka_unit_test(advertised_numbers_are_shifted),
        cmocka_unit_test(impossible_layouts_name_the_culprit),
        cmocka_unit_test(shifted_numbers_stay_numbers),
        cmocka_unit_test(what_has_no_number_stays_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
