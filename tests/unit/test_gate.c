/*
 * test_gate.c - limits: who is let in, and counted where
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/gate.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* Two workers of one crew and one of the other, with two ports. */
struct scene {
    struct board *board;
    struct tally *tally;
    struct limits all;
    struct limits of_port[2];
    struct gate first, second, other;
    struct gate_port ports[2];
};

static struct scene scene;

static struct gate
gate_of(enum crew crew, int index)
{
    return (struct gate){
        .board = scene.board,
        .tally = scene.tally,
        .slot = board_take(scene.board, PROCESS_WORKER, crew, index),
        .all = &scene.all,
    };
}

static int
setup(void **state)
{
    (void)state;
    log_setup("test", LOG_TEXT, LOG_ERROR); /* warnings are none here */
    memset(&scene, 0, sizeof scene);
    scene.board = board_new();
    scene.tally = tally_new(BOARD_SLOTS);
    assert_non_null(scene.board);
    assert_non_null(scene.tally);
    scene.first = gate_of(CREW_CONFIGURED, 0);
    scene.second = gate_of(CREW_CONFIGURED, 1);
    scene.other = gate_of(CREW_TEST, 0);
    scene.ports[0] = (struct gate_port){"a", 3, &scene.of_port[0]};
    scene.ports[1] = (struct gate_port){"b", 200, &scene.of_port[1]};
    return 0;
}

static uint64_t
limited(const struct gate_port *port, enum limit limit)
{
    struct port_counters sum;

    board_sum(scene.board, port->index, &sum);
    return counted(&sum.limited[limit]);
}

static void
release(struct gate *gate)
{
    tally_clear(scene.tally, (size_t)(gate->slot - scene.board->slots));
    board_release(scene.board, gate->slot);
}

static struct net_address
address(const char *text)
{
    struct net_address a;

    assert_true(net_numeric(text, 1, &a));
    return a;
}

/* Would catch a limit that is off by one, that each worker has for itself, or
 * that other ports use up. */
static void
connections_of_a_port(void **state)
{
    const struct gate_port *a = &scene.ports[0], *b = &scene.ports[1];

    (void)state;
    scene.of_port[0].connections = 3;
    assert_true(gate_admit(&scene.first, a));
    assert_true(gate_admit(&scene.second, a));
    assert_true(gate_admit(&scene.first, a));
    assert_int_equal(limited(a, LIMIT_CONNECTIONS), 0);
    assert_false(gate_admit(&scene.first, a));
    assert_false(gate_admit(&scene.second, a));
    assert_int_equal(limited(a, LIMIT_CONNECTIONS), 2);
    assert_int_equal(board_active(scene.board, a->index), 3);
    for (int i = 0; i < 10; i++)
        assert_true(gate_admit(&scene.second, b));
    gate_leave(&scene.second, a);
    assert_true(gate_admit(&scene.first, a));
    assert_false(gate_admit(&scene.second, a));
    assert_int_equal(board_open(scene.board, CREW_CONFIGURED), 13);
}

/* Would catch a limit of all ports that counts one port, or the other crew's
 * connections. */
static void
connections_of_all_ports(void **state)
{
    const struct gate_port *a = &scene.ports[0], *b = &scene.ports[1];

    (void)state;
    scene.all.connections = 2;
    assert_true(gate_admit(&scene.other, a));
    assert_true(gate_admit(&scene.other, a));
    assert_false(gate_admit(&scene.other, a));
    assert_true(gate_admit(&scene.first, a));
    assert_true(gate_admit(&scene.second, b));
    assert_false(gate_admit(&scene.first, b));
    assert_int_equal(limited(b, LIMIT_ALL), 1);
    assert_int_equal(limited(b, LIMIT_CONNECTIONS), 0);
    gate_leave(&scene.first, a);
    assert_true(gate_admit(&scene.second, a));
}

/* Would catch places that a killed worker keeps for ever. */
static void
dead_worker_gives_back(void **state)
{
    const struct gate_port *a = &scene.ports[0];
    struct net_address client = address("192.0.2.1");

    (void)state;
    scene.of_port[0] = (struct limits){.connections = 2, .per_client = 2};
    for (int i = 0; i < 2; i++) {
        assert_true(gate_admit(&scene.first, a));
        assert_true(gate_admit_client(&scene.first, a, &client));
    }
    assert_false(gate_admit(&scene.second, a));
    assert_false(gate_admit_client(&scene.second, a, &client));
    release(&scene.first);
    for (int i = 0; i < 2; i++) {
        assert_true(gate_admit(&scene.second, a));
        assert_true(gate_admit_client(&scene.second, a, &client));
    }
    assert_false(gate_admit(&scene.second, a));
    assert_false(gate_admit_client(&scene.second, a, &client));
    assert_int_equal(limited(a, LIMIT_PER_CLIENT), 2);
}

/* Would catch a client's limit that is off by one, each worker's own, or kept
 * in part by a client that is turned away by the other of the two limits. */
static void
connections_of_a_client(void **state)
{
    const struct gate_port *a = &scene.ports[0], *b = &scene.ports[1];
    struct net_address client = address("192.0.2.1");

    (void)state;
    assert_false(gate_counts_clients(&scene.first, a));
    scene.of_port[0].per_client = 2;
    assert_true(gate_counts_clients(&scene.first, a));
    assert_false(gate_counts_clients(&scene.first, b));
    scene.all.per_client = 3;
    assert_true(gate_counts_clients(&scene.first, b));

    assert_true(gate_admit_client(&scene.first, a, &client));
    assert_true(gate_admit_client(&scene.second, a, &client));
    for (int i = 0; i < 5; i++)
        assert_false(gate_admit_client(&scene.first, a, &client));
    assert_true(gate_admit_client(&scene.first, b, &client));
    for (int i = 0; i < 5; i++) {
        assert_false(gate_admit_client(&scene.second, b, &client));
        assert_false(gate_admit_client(&scene.second, a, &client));
    }
    gate_leave_client(&scene.first, b, &client);
    gate_leave_client(&scene.first, a, &client);
    assert_true(gate_admit_client(&scene.second, a, &client));
    assert_false(gate_admit_client(&scene.second, a, &client));
    assert_true(gate_admit_client(&scene.second, b, &client));
    assert_false(gate_admit_client(&scene.second, b, &client));
}

/* Would catch two clients counted as one, or one that is many: what counts is
 * an IPv4 address, or an IPv6 network of 64 bits. */
static void
who_is_one_client(void **state)
{
    static const struct {
        const char *one, *two;
        bool same;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"127.0.0.1", "::1", false},
        {"2001:db8::1", "2001:db8::ffff:2", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        /* The same 8 bytes, but for the family. */
        {"32.1.13.184", "2001:db8::1", false},
        {"0.0.0.0", "::1", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct net_address one = address(rows[i].one);
        struct net_address two = address(rows[i].two);
        struct tally_key a = tally_key(scene.tally, &one, 7);
        struct tally_key b = tally_key(scene.tally, &two, 7);
        struct tally_key c = tally_key(scene.tally, &one, 8);
        bool same = memcmp(&a, &b, sizeof a) == 0;

        if (same != rows[i].same)
            print_error("%s %s\n", rows[i].one, rows[i].two);
        assert_true(same == rows[i].same);
        assert_true(memcmp(&a, &c, sizeof a) != 0);
    }
}

/* Would catch a log that a flood fills. */
static void
one_warning_in_an_interval(void **state)
{
    const struct gate_port *a = &scene.ports[0];
    char line[256] = "";
    FILE *err = tmpfile();
    int saved = dup(STDERR_FILENO);
    int lines = 0;

    (void)state;
    log_setup("test", LOG_TEXT, LOG_WARNING);
    scene.of_port[0].connections = 1;
    fflush(stderr);
    assert_int_not_equal(dup2(fileno(err), STDERR_FILENO), -1);
    for (int i = 0; i < 100; i++)
        (void)gate_admit(i % 2 ? &scene.first : &scene.second, a);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(err);
    while (fgets(line, sizeof line, err) != NULL)
        lines += strstr(line, "port 'a': limit reached: 1 ") != NULL;
    fclose(err);
    assert_int_equal(lines, 1);
    assert_int_equal(limited(a, LIMIT_CONNECTIONS), 99);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(connections_of_a_port, setup),
        cmocka_unit_test_setup(connections_of_all_ports, setup),
        cmocka_unit_test_setup(dead_worker_gives_back, setup),
        cmocka_unit_test_setup(connections_of_a_client, setup),
        cmocka_unit_test_setup(who_is_one_client, setup),
        cmocka_unit_test_setup(one_warning_in_an_interval, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
