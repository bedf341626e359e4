/*
 * test_held.c - places of requests that wait
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/held.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct ev_loop *loop;
static struct holding holding;
static int pairs[2 * HELD_MOST][2];
static unsigned over;

static void
count_over(void *request)
{
    (void)request;
    over++;
}

static void
begin(size_t most)
{
    over = 0;
    loop = ev_loop_new(EVFLAG_AUTO);
    assert_non_null(loop);
    assert_int_equal(holding_open(&holding, loop, most, count_over), 0);
    for (size_t i = 0; i < 2 * HELD_MOST; i++)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
}

static void
finish(void)
{
    holding_wake(&holding, NULL, NULL);
    assert_int_equal(holding.count, 0);
    holding_close(&holding);
    ev_loop_destroy(loop);
    for (size_t i = 0; i < 2 * HELD_MOST; i++) {
        net_close(&pairs[i][0]);
        net_close(&pairs[i][1]);
    }
}

/* Hold request number i of a client; `wanted` is what it waits for. */
static bool
hold(size_t i, const char *ip, char wanted)
{
    struct net_address client;
    char *copy = malloc(1);

    assert_non_null(copy);
    *copy = wanted;
    assert_true(net_numeric(ip, 1, &client));
    return holding_begin(&holding, &pairs[i], pairs[i][0], &client, 3600, copy);
}

static bool
is_wanted(const void *wanted, const void *news)
{
    return *(const char *)wanted == *(const char *)news;
}

/* Would catch a client that takes all places, by its many addresses too. */
static void
four_of_a_client_are_held(void **state)
{
    static const char *const clients[][5] = {
        {"127.0.0.1", "::1", "127.0.0.2", "::ffff:127.0.0.1", "127.1.1.1"},
        {"2001:db8::1", "2001:db8::2", "2001:db8:0:0:f::", "2001:db8::1",
         "2001:db8::ffff"},
        {"10.0.0.1", "10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1"},
    };

    (void)state;
    begin(HELD_MOST);
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < 5; i++)
            assert_true(hold(5 * c + i, clients[c][i], 'a') == (i < 4));
    assert_true(hold(20, "10.0.0.2", 'a'));
    assert_true(hold(21, "2001:db8:0:1::1", 'a'));
    assert_int_equal(holding.count, 14);
    finish();
    assert_int_equal(over, 14);
}

/* Would catch places without a bound. */
static void
sixty_four_are_held_in_all(void **state)
{
    char ip[32];

    (void)state;
    begin(1000);
    for (size_t i = 0; i < 2 * HELD_MOST; i++) {
        snprintf(ip, sizeof ip, "10.0.0.%zu", i);
        assert_true(hold(i, ip, 'a') == (i < 64));
    }
    finish();
    begin(2);
    for (size_t i = 0; i < 4; i++)
        assert_true(hold(i, i & 1 ? "10.0.0.1" : "10.0.0.2", 'a') == (i < 2));
    finish();
    begin(0);
    assert_false(hold(0, "10.0.0.1", 'a'));
    finish();
}

/* Would catch a place that a client keeps that has gone, with bytes sent ahead
 * of its end or without. */
static void
an_end_gives_the_place_back(void **state)
{
    (void)state;
    begin(HELD_MOST);
    for (size_t i = 0; i < 4; i++)
        assert_true(hold(i, "10.0.0.1", 'a'));
    assert_int_equal(send(pairs[0][1], "x", 1, 0), 1);
    ev_run(loop, EVRUN_NOWAIT);
    assert_int_equal(over, 0);
    net_close(&pairs[0][1]);
    net_close(&pairs[1][1]);
    assert_int_equal(shutdown(pairs[2][1], SHUT_WR), 0);
    ev_run(loop, EVRUN_NOWAIT);
    assert_int_equal(over, 3);
    assert_int_equal(holding.count, 1);
    for (size_t i = 4; i < 8; i++)
        assert_true(hold(i, "10.0.0.1", 'a') == (i < 7));
    finish();
}

/* Would catch news for one that wake others, or do not. */
static void
only_who_wants_the_news_is_woken(void **state)
{
    (void)state;
    begin(HELD_MOST);
    for (size_t i = 0; i < 12; i++) {
        char ip[] = {'1', '.', '1', '.', '1', '.', (char)('1' + i / 2), '\0'};

        assert_true(hold(i, ip, i % 3 == 0 ? 'a' : 'b'));
    }
    holding_wake(&holding, is_wanted, "a");
    assert_int_equal(over, 4);
    holding_wake(&holding, is_wanted, "a");
    assert_int_equal(over, 4);
    holding_wake(&holding, is_wanted, "b");
    assert_int_equal(over, 12);
    finish();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_of_a_client_are_held),
        cmocka_unit_test(sixty_four_are_held_in_all),
        cmocka_unit_test(an_end_gives_the_place_back),
        cmocka_unit_test(only_who_wants_the_news_is_woken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
