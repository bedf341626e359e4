/*
 * test_bindings.c - which test a client was in when it connected
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/bindings.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define ALL BINDINGS_ALL_PORTS

static struct bindings *bindings;

static int
begin(void **state)
{
    (void)state;
    bindings = bindings_new();
    return bindings != NULL ? 0 : -1;
}

static int
finish(void **state)
{
    (void)state;
    bindings_free(bindings);
    return 0;
}

static struct client
client_at(const char *ip)
{
    struct net_address address;

    assert_true(net_numeric(ip, 4301, &address));
    return client_of(&address);
}

static bool
bind_name(const char *ip, double now, int port, const char *name)
{
    struct client client = client_at(ip);

    return bindings_bind(bindings, &client, now, port, name, strlen(name));
}

static struct binding
find(const char *ip, int port, double when)
{
    struct client client = client_at(ip);

    return bindings_find(bindings, &client, port, when);
}

static void
expect(const char *ip, int port, double when, const char *name)
{
    struct binding found = find(ip, port, when);

    if (name == NULL) {
        assert_null(found.name);
        assert_int_equal(found.number, 0);
    } else {
        assert_non_null(found.name);
        assert_string_equal(found.name, name);
        assert_int_not_equal(found.number, 0);
    }
}

/* Would catch a client that loses its test because it connects over the other
 * family, and one that gets somebody else's. */
static void
loopback_is_one_client_and_others_are_not(void **state)
{
    static const struct {
        const char *ip;
        bool same;
    } cases[] = {
        {"127.0.0.1", true},
        {"127.9.8.7", true},
        {"::1", true},
        {"::ffff:127.0.0.1", true},
        {"128.0.0.1", false},
        {"10.0.0.1", false},
        {"::2", false},
        {"::", false},
        {"::ffff:10.0.0.1", false},
        {"::127.0.0.1", false},
        {"2001:db8::7f00:1", false},
    };

    (void)state;
    assert_true(bind_name("::1", 100, ALL, "a"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(cases[i].ip, 1, 101, cases[i].same ? "a" : NULL);
    assert_true(bind_name("::ffff:10.0.0.1", 100, ALL, "b"));
    expect("10.0.0.1", 1, 101, "b");
    expect("10.0.0.2", 1, 101, NULL);
    expect("127.0.0.1", 1, 101, "a");
}

/* Would catch a record that arrives after the next test began and is counted
 * to that one. */
static void
what_counts_is_when_it_was_accepted(void **state)
{
    (void)state;
    assert_true(bind_name("10.0.0.1", 100, ALL, "a"));
    assert_true(bind_name("10.0.0.1", 200, ALL, "b"));
    assert_true(bind_name("10.0.0.1", 300, ALL, ""));
    assert_true(bind_name("10.0.0.1", 400, ALL, "a"));
    expect("10.0.0.1", 1, 99.9, NULL);
    expect("10.0.0.1", 1, 100, "a");
    expect("10.0.0.1", 1, 199.9, "a");
    expect("10.0.0.1", 1, 200, "b");
    expect("10.0.0.1", 1, 350, NULL);
    expect("10.0.0.1", 1, 400, "a");
    assert_true(find("10.0.0.1", 1, 400).number
                > find("10.0.0.1", 1, 100).number);
}

static void
a_binding_lasts_an_hour(void **state)
{
    (void)state;
    assert_true(bind_name("10.0.0.1", 100, ALL, "a"));
    expect("10.0.0.1", 1, 100 + 3600, "a");
    expect("10.0.0.1", 1, 100 + 3601, NULL);
}

/* Would catch a name that reaches other ports than the one it was given for. */
static void
one_port_is_bound_alone(void **state)
{
    (void)state;
    assert_true(bind_name("10.0.0.1", 100, 3, "three"));
    expect("10.0.0.1", 3, 101, "three");
    expect("10.0.0.1", 4, 101, NULL);
    assert_true(bind_name("10.0.0.1", 110, 4, "four"));
    expect("10.0.0.1", 3, 111, "three");
    expect("10.0.0.1", 4, 111, "four");
    assert_true(bind_name("10.0.0.1", 120, 4, ""));
    expect("10.0.0.1", 3, 121, "three");
    expect("10.0.0.1", 4, 121, NULL);
    assert_true(bind_name("10.0.0.1", 130, ALL, "all"));
    expect("10.0.0.1", 3, 131, "all");
    expect("10.0.0.1", 0, 131, "all");
}

/* Would catch a name that is changed, or cut to one that means something else.
 */
static void
names_are_verbatim_or_not_bound(void **state)
{
    struct client client = client_at("10.0.0.1");
    char name[BINDINGS_NAME_MAX + 2];

    (void)state;
    memset(name, 'x', sizeof name);
    name[BINDINGS_NAME_MAX] = '\0';
    assert_true(bind_name("10.0.0.1", 100, ALL, "\xff\n\"\\\x1b[2J %41"));
    expect("10.0.0.1", 1, 100, "\xff\n\"\\\x1b[2J %41");
    assert_false(bindings_bind(bindings, &client, 101, ALL, "a\0b", 3));
    assert_false(
        bindings_bind(bindings, &client, 101, ALL, name, sizeof name - 1));
    expect("10.0.0.1", 1, 102, "\xff\n\"\\\x1b[2J %41");
    assert_true(
        bindings_bind(bindings, &client, 103, ALL, name, BINDINGS_NAME_MAX));
    expect("10.0.0.1", 1, 103, name);
}

/* Would catch memory without a bound, and a newcomer that is turned away. */
static void
the_oldest_clients_go(void **state)
{
    char ip[32];

    (void)state;
    for (int i = 0; i < BINDINGS_CLIENTS_MAX + 5; i++) {
        snprintf(ip, sizeof ip, "10.1.%d.%d", i / 256, i % 256);
        assert_true(bind_name(ip, 100 + i, ALL, "a"));
        if (i == BINDINGS_CLIENTS_MAX - 1)
            assert_true(bind_name("10.1.0.0", 100 + i, ALL, "again"));
    }
    assert_int_equal(bindings_clients(bindings), BINDINGS_CLIENTS_MAX);
    expect(ip, 1, 1e9, NULL); /* an hour is over */
    expect(ip, 1, 100 + BINDINGS_CLIENTS_MAX + 4, "a");
    expect("10.1.0.0", 1, 100 + BINDINGS_CLIENTS_MAX, "again");
    for (int i = 1; i <= 5; i++) {
        snprintf(ip, sizeof ip, "10.1.0.%d", i);
        expect(ip, 1, 100 + i, NULL);
    }
    expect("10.1.0.6", 1, 106, "a");
}

/* Would catch one client that fills the memory, or drives out all others. */
static void
each_client_has_its_share(void **state)
{
    (void)state;
    assert_true(bind_name("10.0.0.2", 1, ALL, "other"));
    for (int i = 0; i < 4 * BINDINGS_MAX; i++)
        assert_true(bind_name("10.0.0.1", 2 + i / 1e3, i % 7, "a"));
    assert_int_equal(bindings_count(bindings), BINDINGS_EACH_MAX + 1);
    expect("10.0.0.1", 6, 203, "a");
    expect("10.0.0.2", 6, 203, "other");
}

/* Would catch bounds that hold for each alone, and not for all. */
static void
all_have_a_bound(void **state)
{
    char ip[32] = "";

    (void)state;
    for (int i = 0; i < 400; i++) {
        snprintf(ip, sizeof ip, "10.1.%d.%d", i / 256, i % 256);
        for (int n = 0; n < BINDINGS_EACH_MAX; n++)
            assert_true(bind_name(ip, i, ALL, "a"));
        assert_true(bindings_count(bindings) <= BINDINGS_MAX);
    }
    expect(ip, 1, 400, "a");
    expect("10.1.0.0", 1, 400, NULL);
}

/* Would catch an unbinding that takes a client's place, or adds one. */
static void
nothing_is_kept_of_who_binds_nothing(void **state)
{
    (void)state;
    assert_true(bind_name("10.0.0.1", 1, ALL, ""));
    assert_int_equal(bindings_clients(bindings), 0);
    assert_int_equal(bindings_count(bindings), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            loopback_is_one_client_and_others_are_not, begin, finish),
        cmocka_unit_test_setup_teardown(what_counts_is_when_it_was_accepted,
                                        begin, finish),
        cmocka_unit_test_setup_teardown(a_binding_lasts_an_hour, begin, finish),
        cmocka_unit_test_setup_teardown(one_port_is_bound_alone, begin, finish),
        cmocka_unit_test_setup_teardown(names_are_verbatim_or_not_bound, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(the_oldest_clients_go, begin, finish),
        cmocka_unit_test_setup_teardown(each_client_has_its_share, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(all_have_a_bound, begin, finish),
        cmocka_unit_test_setup_teardown(nothing_is_kept_of_who_binds_nothing,
                                        begin, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
