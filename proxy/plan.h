/*
 * plan.h - the tests that a client should go through: GET /api/tests
 *
 * Const data, made from the port table: classic ports have rows of their own,
 * because what is right there depends on what the client is told; every
 * extended port is one test.  A client's suite is a loop over the plan.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_PLAN_H
#define PROXY_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/ports.h"

#define PLAN_NAME_MAX 64

struct plan_test {
    char name[PLAN_NAME_MAX]; /* "refuse_expired": fit for ?test= */
    const struct port_policy *row;
    bool tls;               /* what the client is to speak */
    const char *ca;         /* "ca1.crt", "system"; NULL: none given */
    const char *client_crt; /* "client2.crt"; NULL: no client certificate */
    const char *client_key;
    bool other_host;         /* a name that is not in the certificate */
    bool revocation;         /* with revocation checked */
    enum port_expect expect; /* never EXPECT_TEST */
    const char *why;
};

/* The test of that number into *out; false past the last one.  All texts but
 * the name are valid as long as the program. */
bool plan_test(size_t number, struct plan_test *out);

/*
 * The test that a row of an extended group is: named by what is expected and by
 * the row, with all that the row demands of a client.  row->expect is not
 * EXPECT_TEST, and row->why is the reason.
 */
void plan_of_row(const struct port_policy *row, struct plan_test *out);

#endif
