/*
 * verdict.h - was what a client did right for a client on this port?
 *
 * Pure (outcomes.md, "Verdict").  A judgement is a verdict and one sentence,
 * which also says what to do where a client has failed.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_VERDICT_H
#define PROXY_VERDICT_H

#include <stdbool.h>

#include "proxy/event.h"
#include "proxy/outcome.h"
#include "proxy/ports.h"

enum verdict { VERDICT_PASS, VERDICT_FAIL, VERDICT_OPEN };

struct judgement {
    enum verdict verdict;
    char why[256]; /* one sentence, nothing of a peer's in it */
};

/* What a test's name says of it, by its prefix; full names are never looked up
 * (outcomes.md, "Test names"). */
enum test_kind { TEST_UNKNOWN, TEST_CONNECT, TEST_REFUSE };

extern const char *const verdict_names[];

/* test is NUL-terminated; NULL is TEST_UNKNOWN. */
enum test_kind verdict_test_kind(const char *test);

/*
 * Judge one connection.  row is that of its port in the port table, NULL for an
 * operator's own port.  Where a row is judged by what follows (JUDGE_TARGET,
 * JUDGE_COUNT), this is the judgement as long as nothing has followed.
 *
 * Where a row says what is right, the row decides and no name changes that: a
 * name may be a stale one, and no test makes a bad certificate a good one.
 * Where it does not (EXPECT_TEST, NULL) the name's prefix decides; without one
 * the verdict is open.  Names also decide of a client that spoke TLS on a plain
 * port or the other way round, which has failed to connect, whatever the row
 * is made for.  `may` rows judge nobody.
 *
 * What a client has sent outweighs its alert: after its response it has not
 * refused, and after the whole exchange it has connected.
 */
void verdict_judge(const struct event *event, const struct outcome *outcome,
                   const struct port_policy *row, const char *test,
                   struct judgement *out);

#define VERDICT_TARGET_SECONDS 5.0  /* in which a redirect is followed */
#define VERDICT_COUNT_SECONDS  10.0 /* in which as many connections ... */
#define VERDICT_COUNT_MOST     20   /* ... as these are no bounded number */

/* Of a connection judged at the target: the same client has sent a response
 * there in time. */
void verdict_followed(const struct port_policy *row, struct judgement *out);

/* Of a connection judged by count: the client has come too often. */
void verdict_too_often(const struct port_policy *row, struct judgement *out);

#endif
