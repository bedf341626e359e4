/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certs/specs.h"
#include "mapisim/behaviour.h"
#include "proxy/board.h"
#include "proxy/ports.h"

static bool
is_certificate(const char *name)
{
    for (size_t i = 0; i < cert_spec_count; i++)
        if (strcmp(cert_specs[i].name, name) == 0)
            return true;
    return false;
}

/* True of the file of a CA that is served. */
static bool
is_authority(const char *file)
{
    for (size_t i = 0; i < cert_spec_count; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s.crt", cert_specs[i].name);
        if (cert_specs[i].use == CERT_AUTHORITY
            && cert_specs[i].files == FILES_USUAL && strcmp(name, file) == 0)
            return true;
    }
    return false;
}

/* Groups follow one another, each in one piece: numbers go by them.  Whoever
 * reads a plan wants to know why. */
static void
extended_rows_are_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < port_table_count; i++) {
        const struct port_policy *row = &port_table[i];

        if (i > 0)
            assert_true(row->group >= row[-1].group);
        if (row->group == GROUP_CLASSIC)
            continue;
        assert_int_not_equal(row->expect, EXPECT_TEST);
        assert_non_null(row->why);
        if (row->group == GROUP_CHAINS)
            assert_string_equal(row->certificate, row->name);
    }
    for (int i = 0; i < GROUP_COUNT; i++)
        assert_non_null(port_group_names[i]);
}

/* A row that names a certificate which does not exist crashes a worker. */
static void
rows_are_sound(void **state)
{
    (void)state;
    assert_true(port_table_count <= PORTS_MAX);
    for (size_t i = 0; i < port_table_count; i++) {
        const struct port_policy *row = &port_table[i];

        assert_ptr_equal(port_find(row->name), row); /* no name twice */
        assert_non_null(row->rule);
        if (row->certificate == NULL && !row->trusted) {
            assert_true(row->tls_min == 0 && row->tls_max == 0);
            assert_false(row->sni_required || row->alpn_required);
            assert_null(row->client_ca);
            continue;
        }
        assert_true(row->trusted || is_certificate(row->certificate));
        assert_true(row->tls_min >= PORT_TLS_1_0);
        assert_true(row->tls_min <= row->tls_max);
        assert_true(row->tls_max <= PORT_TLS_1_3);
        if (row->client_ca != NULL)
            assert_true(is_certificate(row->client_ca));
        if (row->trusted)
            assert_string_equal(row->ca, "system");
        else
            assert_true(is_authority(row->ca));
        /* A resumed client verifies nothing. */
        assert_true(!row->tickets || row->forward);
    }
}

/* Would catch a hostile port behind a real MonetDB, or whose simulator knows
 * nothing of it, or that redirects to nowhere. */
static void
deeds_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < port_table_count; i++) {
        const struct port_policy *row = &port_table[i];

        assert_true(i == 0 || row->group >= row[-1].group);
        if (row->group == GROUP_HOSTILE) {
            assert_non_null(row->why);
            assert_int_not_equal(row->expect, EXPECT_TEST);
            assert_true(port_has_tls(row));
        }
        if (row->behaviour != NULL) {
            assert_non_null(behaviour_find(slice_text(row->behaviour)));
            assert_true(row->simulator);
        }
        if (row->target != NULL) {
            assert_true(row->simulator);
            assert_non_null(port_find(row->target));
            assert_true(port_has_tls(port_find(row->target))
                        == (row->certhash != NULL));
        }
        assert_true(row->certhash == NULL || is_certificate(row->certhash));
        assert_true(row->simulator || row->deed < DEED_TRUNCATE);
    }
}

/* What a process counted must survive it; what it had open must not. */
static void
counters_survive_their_process(void **state)
{
    struct board *board = board_new();
    struct port_counters sum;
    struct process_slot *one;
    struct process_slot *two;

    (void)state;
    assert_non_null(board);
    one = board_take(board, PROCESS_WORKER, CREW_TEST, 0);
    two = board_take(board, PROCESS_WORKER, CREW_TEST, 1);
    count(&one->ports[3].accepted, 5);
    count(&one->ports[3].active, 2);
    count(&one->ports[3].bytes_down, 100);
    count(&two->ports[3].accepted, 7);
    count(&two->ports[3].active, 1);
    board_sum(board, 3, &sum);
    assert_int_equal(sum.accepted, 12);
    assert_int_equal(sum.active, 3);

    board_release(board, one);
    board_sum(board, 3, &sum);
    assert_int_equal(sum.accepted, 12);
    assert_int_equal(sum.active, 1);
    assert_int_equal(sum.bytes_down, 100);
    assert_ptr_equal(board_take(board, PROCESS_WORKER, CREW_TEST, 0), one);
    assert_int_equal(one->ports[3].accepted, 0);
}

static void
a_full_board_says_so(void **state)
{
    struct board *board = board_new();
    size_t taken = 1; /* the master's */

    (void)state;
    while (board_take(board, PROCESS_WORKER, CREW_TEST, 0) != NULL)
        taken++;
    assert_int_equal(taken, BOARD_SLOTS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(extended_rows_are_complete),
        cmocka_unit_test(deeds_are_sound),
        cmocka_unit_test(counters_survive_their_process),
        cmocka_unit_test(a_full_board_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
