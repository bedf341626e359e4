/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/verdict.h"

/* A client's suite would bind one name to two tests, or one that is cut off or
 * has to be escaped. */
static void
names_are_unique_and_fit_a_query(void **state)
{
    struct plan_test test, other;

    (void)state;
    for (size_t i = 0; plan_test(i, &test); i++) {
        assert_in_range(strlen(test.name), 5, PLAN_NAME_MAX - 2);
        assert_int_equal(strspn(test.name, "abcdefghijklmnopqrstuvwxyz"
                                           "0123456789_"),
                         strlen(test.name));
        for (size_t j = 0; j < i; j++) {
            assert_true(plan_test(j, &other));
            assert_string_not_equal(test.name, other.name);
        }
    }
}

/* A name by whose prefix the verdict would be the opposite. */
static void
names_agree_with_what_is_expected(void **state)
{
    static const enum test_kind want[] = {
        [EXPECT_ACCEPT] = TEST_CONNECT,
        [EXPECT_REFUSE] = TEST_REFUSE,
        [EXPECT_MAY] = TEST_UNKNOWN,
    };
    struct plan_test test;

    (void)state;
    for (size_t i = 0; plan_test(i, &test); i++) {
        assert_in_range(test.expect, EXPECT_ACCEPT, EXPECT_MAY);
        assert_int_equal(verdict_test_kind(test.name), want[test.expect]);
        if (test.row->expect != EXPECT_TEST)
            assert_int_equal(test.expect, test.row->expect);
    }
}

/* A test that a client cannot set up, or that does not say why. */
static void
tests_are_complete(void **state)
{
    struct plan_test test;

    (void)state;
    for (size_t i = 0; plan_test(i, &test); i++) {
        assert_non_null(test.row);
        assert_non_null(test.why);
        assert_in_range(strlen(test.why), 10, 90);
        assert_int_equal(test.client_crt != NULL, test.client_key != NULL);
        assert_false(test.row->forward);
        if (!test.tls) { /* then there is nothing to verify, or to show */
            assert_null(test.ca);
            assert_null(test.client_crt);
            assert_false(test.other_host || test.revocation);
        }
        if (test.expect == EXPECT_ACCEPT) {
            assert_int_equal(test.tls, port_has_tls(test.row));
            assert_int_equal(test.tls, test.ca != NULL);
            assert_int_equal(test.client_crt != NULL,
                             test.row->client_ca != NULL);
            assert_false(test.other_host);
        }
    }
}

/* A port that no test of the plan visits; rows that do not say why. */
static void
every_port_has_a_test(void **state)
{
    struct plan_test test;

    (void)state;
    for (size_t row = 0; row < port_table_count; row++) {
        const struct port_policy *policy = &port_table[row];
        size_t tests = 0;

        for (size_t i = 0; plan_test(i, &test); i++)
            tests += test.row == policy;
        if (policy->forward)
            assert_int_equal(tests, 0);
        else if (policy->group == GROUP_CLASSIC)
            assert_true(tests > 0);
        else
            assert_int_equal(tests, 1);
        if (policy->expect != EXPECT_TEST)
            assert_non_null(policy->why);
    }
}

static void
extended_rows_are_tests(void **state)
{
    static const struct port_policy rows[] = {
        {.name = "large",
         .certificate = "large",
         .tls_min = PORT_TLS_1_3,
         .tls_max = PORT_TLS_1_3,
         .ca = "ca1.crt",
         .expect = EXPECT_ACCEPT,
         .why = "it is only large"},
        {.name = "wronghost",
         .certificate = "wronghost",
         .tls_min = PORT_TLS_1_3,
         .tls_max = PORT_TLS_1_3,
         .client_ca = "ca2",
         .ca = "system",
         .expect = EXPECT_REFUSE,
         .why = "the name is another"},
        {.name = "odd", .expect = EXPECT_MAY, .why = "opinions differ"},
    };
    static const char *const names[] = {"connect_large", "refuse_wronghost",
                                        "may_odd"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct plan_test test;

        plan_of_row(&rows[i], &test);
        assert_string_equal(test.name, names[i]);
        assert_ptr_equal(test.row, &rows[i]);
        assert_ptr_equal(test.ca, rows[i].ca);
        assert_ptr_equal(test.why, rows[i].why);
        assert_int_equal(test.expect, rows[i].expect);
        assert_int_equal(test.tls, rows[i].tls_min != 0);
        assert_int_equal(test.client_crt != NULL, rows[i].client_ca != NULL);
        assert_false(test.other_host || test.revocation);
    }
}

/* The documented tests, each as a client has to be set up for it. */
static void
the_classic_plan(void **state)
{
    static const struct {
        const char *name, *port, *ca;
        bool tls, client, other_host, accept;
    } want[] = {
        {"connect_tls", "server1", "ca1.crt", true, false, false, true},
        {"refuse_no_ca", "server1", NULL, true, false, false, false},
        {"refuse_wrong_ca", "server1", "ca2.crt", true, false, false, false},
        {"refuse_wrong_host", "server1", "ca1.crt", true, false, true, false},
        {"refuse_plain_to_tls", "server1", NULL, false, false, false, false},
        {"connect_tls_ca2", "server2", "ca2.crt", true, false, false, true},
        {"refuse_ca2_by_ca1", "server2", "ca1.crt", true, false, false, false},
        {"connect_tls_ca3", "server3", "ca3.crt", true, false, false, true},
        {"connect_plain", "plain", NULL, false, false, false, true},
        {"refuse_tls_to_plain", "plain", "ca1.crt", true, false, false, false},
        {"refuse_expired", "expiredcert", "ca1.crt", true, false, false, false},
        {"refuse_tls12", "tls12", "ca1.crt", true, false, false, false},
        {"connect_client_auth", "clientauth", "ca1.crt", true, true, false,
         true},
        {"refuse_no_client_certificate", "clientauth", "ca1.crt", true, false,
         false, false},
        {"connect_server_name", "sni", "ca1.crt", true, false, false, true},
        {"refuse_unknown_server_name", "sni", "ca1.crt", true, false, true,
         false},
        {"connect_alpn_mapi9", "alpn_mapi9", "ca1.crt", true, false, false,
         true},
        {"connect_redirect", "redirect", "ca1.crt", true, false, false, true},
    };
    struct plan_test test;

    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_true(plan_test(i, &test));
        assert_string_equal(test.name, want[i].name);
        assert_string_equal(test.row->name, want[i].port);
        assert_int_equal(test.ca == NULL, want[i].ca == NULL);
        if (test.ca != NULL)
            assert_string_equal(test.ca, want[i].ca);
        assert_int_equal(test.tls, want[i].tls);
        assert_int_equal(test.client_crt != NULL, want[i].client);
        assert_int_equal(test.other_host, want[i].other_host);
        assert_int_equal(test.expect == EXPECT_ACCEPT, want[i].accept);
    }
    if (plan_test(sizeof want / sizeof want[0], &test))
        assert_int_not_equal(test.row->group, GROUP_CLASSIC);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique_and_fit_a_query),
        cmocka_unit_test(names_agree_with_what_is_expected),
        cmocka_unit_test(tests_are_complete),
        cmocka_unit_test(every_port_has_a_test),
        cmocka_unit_test(extended_rows_are_tests),
        cmocka_unit_test(the_classic_plan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
