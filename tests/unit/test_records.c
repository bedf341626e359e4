/*
 * test_records.c - what is kept of clients, and verdicts that change
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/records.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/arrivals.h"

#ifdef __SANITIZE_ADDRESS__
#define MANY 20000
#else
#define MANY 1000000
#endif

static const struct port_policy rows[] = {
    {.name = "redirect_x",
     .tls_min = PORT_TLS_1_3,
     .tls_max = PORT_TLS_1_3,
     .target = "target",
     .expect = EXPECT_REFUSE,
     .judge = JUDGE_TARGET,
     .why = "the redirect leaves TLS"},
    {.name = "target",
     .tls_min = PORT_TLS_1_3,
     .tls_max = PORT_TLS_1_3,
     .expect = EXPECT_TEST},
    {.name = "loop",
     .tls_min = PORT_TLS_1_3,
     .tls_max = PORT_TLS_1_3,
     .target = "loop",
     .expect = EXPECT_REFUSE,
     .judge = JUDGE_COUNT,
     .why = "the redirect leads to itself"},
};
enum { REDIRECT, TARGET, LOOP };

static struct bindings *bindings;
static struct records *records;
static unsigned news;
static uint64_t last_news;

static void
on_news(void *context, const struct record *record)
{
    (void)context;
    news++;
    last_news = record->sequence;
}

static void
begin(size_t most)
{
    bindings = bindings_new();
    assert_non_null(bindings);
    records = records_new(most, bindings);
    assert_non_null(records);
    records_watch(records, on_news, NULL);
    news = 0;
}

static void
finish(void)
{
    records_free(records);
    bindings_free(bindings);
}

static void
bind_name(const char *ip, double when, int port, const char *name)
{
    struct net_address address;
    struct client client;

    assert_true(net_numeric(ip, 1, &address));
    client = client_of(&address);
    assert_true(
        bindings_bind(bindings, &client, when, port, name, strlen(name)));
}

/* A connection to a row's port, so many seconds after the first possible one.
 */
static void
visit(const char *ip, int row, double seconds, enum event_mapi mapi)
{
    static uint64_t id;
    struct event event = arrival(++id, ip);

    event.port = (uint16_t)row;
    event.accepted = ARRIVAL_TIME + seconds;
    event.mapi = mapi;
    arrive(records, &event, rows[row].name, &rows[row]);
}

static enum verdict
verdict_of(uint64_t sequence)
{
    const struct record *record = records_get(records, sequence);
    struct record_view view;

    assert_non_null(record);
    records_view(record, &view);
    assert_int_equal(view.judgement.verdict, record->verdict);
    return record->verdict;
}

/* Would catch a ring that shows a record under another's number. */
static void
the_newest_win(void **state)
{
    (void)state;
    begin(3);
    assert_null(records_get(records, 0));
    assert_null(records_get(records, 1));
    for (uint64_t i = 1; i <= 10; i++) {
        struct event event = arrival(100 + i, "10.0.0.1");

        arrive(records, &event, "server1", port_find("server1"));
        assert_int_equal(news, i);
        assert_int_equal(last_news, i);
        assert_int_equal(records_next(records), i + 1);
        assert_int_equal(records_first(records), i < 3 ? 1 : i - 2);
        for (uint64_t at = 1; at <= i + 1; at++) {
            const struct record *record = records_get(records, at);
            struct record_view view;

            assert_true((record != NULL)
                        == (at >= records_first(records) && at <= i));
            if (record == NULL)
                continue;
            records_view(record, &view);
            assert_int_equal(record->sequence, at);
            assert_int_equal(view.event.id, 100 + at);
        }
    }
    finish();
}

/* Would catch a history of 0 that keeps, divides by, or counts nothing. */
static void
without_history_there_are_still_counters(void **state)
{
    (void)state;
    begin(0);
    visit("10.0.0.1", TARGET, 0, MAPI_COMPLETE);
    assert_int_equal(news, 0);
    assert_int_equal(records_next(records), 1);
    assert_null(records_get(records, 1));
    assert_int_equal(records_counters(records, TARGET)
                         ->outcomes[ORIGIN_ORDERLY][RESULT_SUCCESS],
                     1);
    finish();
}

/* Would catch a record that is counted to the test of its arrival. */
static void
the_test_is_that_of_the_accept(void **state)
{
    (void)state;
    begin(10);
    bind_name("10.0.0.1", ARRIVAL_TIME, BINDINGS_ALL_PORTS, "connect_a");
    bind_name("10.0.0.1", ARRIVAL_TIME + 10, BINDINGS_ALL_PORTS, "refuse_b");
    visit("10.0.0.1", TARGET, 9, MAPI_COMPLETE);
    visit("10.0.0.1", TARGET, 11, MAPI_COMPLETE);
    visit("10.0.0.1", TARGET, -1, MAPI_COMPLETE);
    visit("10.0.0.2", TARGET, 9, MAPI_COMPLETE);
    assert_string_equal(records_get(records, 1)->test, "connect_a");
    assert_int_equal(verdict_of(1), VERDICT_PASS);
    assert_string_equal(records_get(records, 2)->test, "refuse_b");
    assert_int_equal(verdict_of(2), VERDICT_FAIL);
    assert_null(records_get(records, 3)->test);
    assert_int_equal(verdict_of(3), VERDICT_OPEN);
    assert_null(records_get(records, 4)->test);
    assert_true(records_get(records, 1)->group
                != records_get(records, 2)->group);
    assert_true(records_get(records, 3)->group
                != records_get(records, 4)->group);
    finish();
}

/* Would catch a client that follows a redirect unseen, and one that is blamed
 * for somebody else, another test, or a visit much later. */
static void
a_redirect_is_judged_by_what_follows(void **state)
{
    static const struct {
        const char *what;
        const char *ip; /* of the second connection */
        int row;
        double seconds;
        enum event_mapi mapi;
        bool renamed; /* another test is bound in between */
        enum verdict verdict;
    } cases[] = {
        {"followed", "127.0.0.1", TARGET, 1, MAPI_RESPONSE, false,
         VERDICT_FAIL},
        {"over the other family", "::1", TARGET, 1, MAPI_COMPLETE, false,
         VERDICT_FAIL},
        {"in the last moment", "::1", TARGET, 5.25, MAPI_COMPLETE, false,
         VERDICT_FAIL},
        {"too late", "::1", TARGET, 6, MAPI_COMPLETE, false, VERDICT_PASS},
        {"before", "::1", TARGET, -1, MAPI_COMPLETE, false, VERDICT_PASS},
        {"without a response", "::1", TARGET, 1, MAPI_CHALLENGE, false,
         VERDICT_PASS},
        {"elsewhere", "::1", LOOP, 1, MAPI_COMPLETE, false, VERDICT_PASS},
        {"another client", "10.0.0.1", TARGET, 1, MAPI_COMPLETE, false,
         VERDICT_PASS},
        {"the next test", "::1", TARGET, 1, MAPI_COMPLETE, true, VERDICT_PASS},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        bool swapped = i & 1; /* the second one arrives first */
        size_t n = i / 2;

        begin(10);
        bind_name("::1", ARRIVAL_TIME - 2, BINDINGS_ALL_PORTS, "refuse_x");
        if (cases[n].renamed)
            bind_name("::1", ARRIVAL_TIME + 0.9, BINDINGS_ALL_PORTS, "other");
        if (!swapped)
            visit("127.0.0.1", REDIRECT, 0, MAPI_COMPLETE);
        visit(cases[n].ip, cases[n].row, cases[n].seconds, cases[n].mapi);
        if (swapped)
            visit("127.0.0.1", REDIRECT, 0, MAPI_COMPLETE);
        if (verdict_of(swapped ? 2 : 1) != cases[n].verdict)
            fail_msg("%s%s", cases[n].what, swapped ? ", swapped" : "");
        assert_int_equal(news,
                         cases[n].verdict == VERDICT_FAIL && !swapped ? 3 : 2);
        finish();
    }
}

/* Would catch a loop that is never noticed, and a client that is blamed for
 * slow, other, or other clients' visits. */
static void
coming_too_often_is_noticed(void **state)
{
    (void)state;
    begin(1000);
    for (int i = 0; i < 30; i++) {
        visit("10.0.0.1", LOOP, i * 0.5, MAPI_COMPLETE);
        visit("10.0.0.2", LOOP, i * 0.6, MAPI_COMPLETE);
        visit("10.0.0.1", TARGET, i * 0.1, MAPI_COMPLETE);
    }
    for (uint64_t at = 1; at <= 90; at++) {
        const struct record *record = records_get(records, at);

        if (record->revision
            != (at % 3 == 1 && at >= 3 * 19 + 1 ? REVISION_TOO_OFTEN
                                                : REVISION_NONE))
            fail_msg("visit %u", (unsigned)at);
    }
    assert_int_equal(verdict_of(1), VERDICT_PASS);
    assert_int_equal(verdict_of(3 * 19 + 1), VERDICT_FAIL);
    assert_int_equal(records_counters(records, LOOP)->revised, 11);
    finish();
}

/* Would catch visits that arrive late, or not in order, and are not counted. */
static void
order_of_arrival_does_not_matter(void **state)
{
    (void)state;
    begin(100);
    for (int i = 19; i >= 0; i--)
        visit("10.0.0.1", LOOP, i * 0.1, MAPI_COMPLETE);
    assert_int_equal(verdict_of(19), VERDICT_PASS);
    assert_int_equal(verdict_of(20), VERDICT_FAIL);
    finish();
}

/* Would catch an event of one port that is counted for its successor. */
static void
counters_are_of_the_port_that_has_the_index(void **state)
{
    struct event event = arrival(1, "10.0.0.1");

    (void)state;
    begin(10);
    event.port = 7;
    arrive(records, &event, "old", NULL);
    arrive(records, &event, "old", NULL);
    assert_int_equal(records_counters(records, 7)->verdicts[VERDICT_OPEN], 2);
    arrive(records, &event, "new", NULL);
    assert_int_equal(records_counters(records, 7)->verdicts[VERDICT_OPEN], 1);
    finish();
}

/* Would catch memory that grows with what has gone by. */
static void
memory_is_flat(void **state)
{
    size_t before = 0;

    (void)state;
    begin(1000);
    bind_name("10.0.0.1", ARRIVAL_TIME, BINDINGS_ALL_PORTS, "connect_x");
    for (unsigned i = 1; i <= MANY; i++) {
        struct event event = arrival(i % 1000, "10.0.0.1");

        event.client.sa.v4.sin_addr.s_addr += htonl(i % 5000);
        event.sni = (struct event_bytes){(const uint8_t *)"localhost", 9};
        arrive(records, &event, "server1", port_find("server1"));
        if (i == 10000)
            before = mallinfo2().uordblks;
    }
    assert_int_equal(records_next(records), MANY + 1);
    assert_true(mallinfo2().uordblks <= before + 64 * 1024);
    finish();
}

/* Would catch a connection that becomes another test's because somebody has
 * set the clock back. */
static void
who_sets_the_clock_changes_no_test(void **state)
{
    struct event event = arrival(1, "127.0.0.1");

    (void)state;
    begin(10);
    bind_name("127.0.0.1", 1000, BINDINGS_ALL_PORTS, "connect_old");
    bind_name("127.0.0.1", 2000, BINDINGS_ALL_PORTS, "connect_new");
    event.since_boot = 2000.5;
    event.accepted = 1999.5;
    arrive(records, &event, "server1", port_find("server1"));
    assert_string_equal(records_get(records, 1)->test, "connect_new");
    finish();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_win),
        cmocka_unit_test(without_history_there_are_still_counters),
        cmocka_unit_test(the_test_is_that_of_the_accept),
        cmocka_unit_test(a_redirect_is_judged_by_what_follows),
        cmocka_unit_test(coming_too_often_is_noticed),
        cmocka_unit_test(order_of_arrival_does_not_matter),
        cmocka_unit_test(counters_are_of_the_port_that_has_the_index),
        cmocka_unit_test(memory_is_flat),
        cmocka_unit_test(who_sets_the_clock_changes_no_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
