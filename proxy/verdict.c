/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/verdict.h"

#include <stdio.h>
#include <string.h>

#include "proxy/advice.h"
#include "proxy/course.h"

const char *const verdict_names[] = {
    [VERDICT_PASS] = "pass",
    [VERDICT_FAIL] = "fail",
    [VERDICT_OPEN] = "open",
};

enum test_kind
verdict_test_kind(const char *test)
{
    static const struct {
        const char *prefix;
        enum test_kind kind;
    } prefixes[] = {
        {"connect_", TEST_CONNECT},
        {"refuse_", TEST_REFUSE},
        {"fail_", TEST_REFUSE},
    };

    if (test == NULL)
        return TEST_UNKNOWN;
    if (strncmp(test, "test_", 5) == 0)
        test += 5;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(test, prefixes[i].prefix, strlen(prefixes[i].prefix)) == 0)
            return prefixes[i].kind;
    return TEST_UNKNOWN;
}

/* What is wanted of the client. */
enum demand {
    DEMAND_CONNECT, /* by the port, or by the test's name */
    DEMAND_REFUSE,  /* by the test's name: anything but a login is right */
    DEMAND_DEFECT,  /* by the port: it is the client that has to refuse */
    DEMAND_FUTILE,  /* the same, where it cannot but */
    DEMAND_TARGET,
    DEMAND_BOUNDED,
    DEMAND_UNSEEN,
    DEMAND_MAY,
    DEMAND_UNKNOWN,
};

/* What a verdict says: a row of sayings[]. */
enum saying {
    SAY_USUAL, /* none of its own: see usual[] */
    SAY_NOTHING,
    SAY_NO_MORE,
    SAY_CONNECTED,
    SAY_CONNECT,
    SAY_REFUSED,
    SAY_MUST_NOT,
    SAY_RIGHT,
    SAY_WENT_ON,
    SAY_UNTRIED,
    SAY_WAITED,
    SAY_FUTILE,
    SAY_NOT_FOLLOWED,
    SAY_BOUNDED,
    SAY_NO_REDIRECT,
    SAY_UNSEEN,
    SAY_NOT_THERE,
    SAY_EITHER,
    SAY_UNNAMED,
};

/* A sentence begins by course_words(), and ends by the reason for what a row
 * expects, by advice, or by both. */
static const struct {
    enum verdict verdict;
    bool why, advice;
    const char *tail;
} sayings[] = {
    [SAY_NOTHING] = {VERDICT_OPEN, false, false,
                     ", which tells nothing of the client"},
    [SAY_NO_MORE] = {VERDICT_OPEN, false, false,
                     " and was answered, but the end was not an orderly one"},
    [SAY_CONNECTED] = {VERDICT_PASS, false, false, ", as it should"},
    [SAY_CONNECT] = {VERDICT_FAIL, false, true, ", but it should connect: "},
    [SAY_REFUSED] = {VERDICT_PASS, false, false, ", as the test wants"},
    [SAY_MUST_NOT] = {VERDICT_FAIL, false, true,
                      ", but this test must not connect: "},
    [SAY_RIGHT] = {VERDICT_PASS, true, false, ", which is right: "},
    [SAY_WENT_ON] = {VERDICT_FAIL, true, true, " although "},
    [SAY_UNTRIED] = {VERDICT_OPEN, false, false,
                     ", so the client had nothing to judge"},
    [SAY_WAITED] = {VERDICT_OPEN, false, false,
                    ": who refuses should end it by itself"},
    [SAY_FUTILE] = {VERDICT_PASS, true, false,
                    ", and the client could not do wrong: "},
    [SAY_NOT_FOLLOWED] = {VERDICT_PASS, true, false,
                          " and did not follow the redirect, which is "
                          "right: "},
    [SAY_BOUNDED] = {VERDICT_PASS, true, false,
                     " and has not come too often, which is right: "},
    [SAY_NO_REDIRECT] = {VERDICT_OPEN, false, false,
                         "; the client never got the redirect"},
    [SAY_UNSEEN] = {VERDICT_OPEN, true, false,
                    "; only the client knows whether it raised an error, as "
                    "it must: "},
    [SAY_NOT_THERE] = {VERDICT_OPEN, false, false,
                       "; the client never came to what is wrong here"},
    [SAY_EITHER] = {VERDICT_OPEN, true, false, "; it may go either way here: "},
    [SAY_UNNAMED] = {VERDICT_OPEN, false, false,
                     "; no test name says whether it should connect"},
};

static const enum saying usual[] = {
    [DEMAND_CONNECT] = SAY_CONNECT,    [DEMAND_REFUSE] = SAY_REFUSED,
    [DEMAND_DEFECT] = SAY_RIGHT,       [DEMAND_FUTILE] = SAY_FUTILE,
    [DEMAND_TARGET] = SAY_NO_REDIRECT, [DEMAND_BOUNDED] = SAY_NO_REDIRECT,
    [DEMAND_UNSEEN] = SAY_NOT_THERE,   [DEMAND_MAY] = SAY_EITHER,
    [DEMAND_UNKNOWN] = SAY_UNNAMED,
};

static const enum saying unusual[][COURSE_COUNT] = {
    [DEMAND_CONNECT] = {[COURSE_COMPLETE] = SAY_CONNECTED},
    [DEMAND_REFUSE] =
        {
            [COURSE_COMPLETE] = SAY_MUST_NOT,
            [COURSE_RESPONSE] = SAY_MUST_NOT,
            [COURSE_DATA] = SAY_MUST_NOT,
            [COURSE_TIMEOUT] = SAY_WAITED,
        },
    [DEMAND_DEFECT] =
        {
            [COURSE_NO_TLS] = SAY_UNTRIED,
            [COURSE_TLS_ON_PLAIN] = SAY_UNTRIED,
            [COURSE_COMPLETE] = SAY_WENT_ON,
            [COURSE_RESPONSE] = SAY_WENT_ON,
            [COURSE_DATA] = SAY_WENT_ON,
            [COURSE_SERVER_ALERT] = SAY_UNTRIED,
            [COURSE_POLICY] = SAY_UNTRIED,
            [COURSE_TIMEOUT] = SAY_WAITED,
        },
    [DEMAND_FUTILE] =
        {
            [COURSE_NO_TLS] = SAY_UNTRIED,
            [COURSE_TLS_ON_PLAIN] = SAY_UNTRIED,
            [COURSE_COMPLETE] = SAY_WENT_ON,
            [COURSE_RESPONSE] = SAY_WENT_ON,
            [COURSE_DATA] = SAY_WENT_ON,
            [COURSE_TIMEOUT] = SAY_WAITED,
        },
    [DEMAND_TARGET] = {[COURSE_COMPLETE] = SAY_NOT_FOLLOWED},
    [DEMAND_BOUNDED] = {[COURSE_COMPLETE] = SAY_BOUNDED},
    [DEMAND_UNSEEN] =
        {
            [COURSE_RESPONSE] = SAY_UNSEEN,
            [COURSE_COMPLETE] = SAY_UNSEEN,
        },
    [DEMAND_UNKNOWN] = {SAY_USUAL},
};

static bool
is_wrong_protocol(enum course course)
{
    return course == COURSE_NO_TLS || course == COURSE_TLS_ON_PLAIN;
}

static enum demand
by_name(enum test_kind kind)
{
    switch (kind) {
    case TEST_CONNECT:
        return DEMAND_CONNECT;
    case TEST_REFUSE:
        return DEMAND_REFUSE;
    case TEST_UNKNOWN:
        break;
    }
    return DEMAND_UNKNOWN;
}

static enum demand
by_judge(const struct port_policy *row)
{
    switch (row->judge) {
    case JUDGE_TARGET:
        return DEMAND_TARGET;
    case JUDGE_COUNT:
        return DEMAND_BOUNDED;
    case JUDGE_UNSEEN:
        return DEMAND_UNSEEN;
    case JUDGE_HANDSHAKE:
        break;
    }
    return row->helpless ? DEMAND_FUTILE : DEMAND_DEFECT;
}

static enum demand
demand_of(const struct port_policy *row, enum test_kind kind,
          enum course course)
{
    bool named = kind != TEST_UNKNOWN && is_wrong_protocol(course);

    if (row == NULL)
        return by_name(kind);
    switch (row->expect) {
    case EXPECT_TEST:
        break;
    case EXPECT_ACCEPT:
        return named ? by_name(kind) : DEMAND_CONNECT;
    case EXPECT_REFUSE:
        return named ? by_name(kind) : by_judge(row);
    case EXPECT_MAY:
        return DEMAND_MAY;
    }
    return by_name(kind);
}

/* Where only the version is wrong, a client that offers none so old refuses by
 * that: the alert is ours. */
static bool
offered_nothing_so_old(const struct event *e, const struct port_policy *row,
                       enum course course)
{
    return course == COURSE_SERVER_ALERT && e->alert_sent == 70 && row != NULL
           && row->tls_max < PORT_TLS_1_3;
}

static enum saying
saying_of(const struct event *e, const struct port_policy *row,
          enum demand demand, enum course course)
{
    enum saying saying = unusual[demand][course];

    if (course == COURSE_PROBE || course == COURSE_OURS)
        return SAY_NOTHING;
    if (demand == DEMAND_CONNECT && course != COURSE_COMPLETE
        && outcome_is_ours(e))
        return SAY_NOTHING;
    if (demand == DEMAND_CONNECT && course == COURSE_RESPONSE && !e->framed
        && e->bytes_down > 0)
        return SAY_NO_MORE;
    if (demand == DEMAND_DEFECT && offered_nothing_so_old(e, row, course))
        return SAY_RIGHT;
    return saying != SAY_USUAL ? saying : usual[demand];
}

/* The reason for what the port expects. */
static const char *
why_of(const struct port_policy *row)
{
    if (row == NULL)
        return "a port of the operator's own";
    return row->why != NULL ? row->why : row->rule;
}

void
verdict_judge(const struct event *e, const struct outcome *outcome,
              const struct port_policy *row, const char *test,
              struct judgement *out)
{
    enum course course = course_of(e, outcome);
    enum demand demand = demand_of(row, verdict_test_kind(test), course);
    enum saying saying = saying_of(e, row, demand, course);
    bool why = sayings[saying].why;
    char words[128];
    char advice[128] = "";

    course_words(course, e, words, sizeof words);
    if (sayings[saying].advice)
        advice_write(demand == DEMAND_CONNECT, course, e, row, advice,
                     sizeof advice);
    out->verdict = sayings[saying].verdict;
    snprintf(out->why, sizeof out->why, "%s%s%s%s%s", words,
             sayings[saying].tail, why ? why_of(row) : "",
             why && sayings[saying].advice ? ": " : "", advice);
}

static void
fails(const struct port_policy *row, const char *what, const char *advice,
      struct judgement *out)
{
    out->verdict = VERDICT_FAIL;
    snprintf(out->why, sizeof out->why, "%s although %s: %s", what, why_of(row),
             advice);
}

void
verdict_followed(const struct port_policy *row, struct judgement *out)
{
    fails(row, "the client logged in at the redirect's target",
          "refuse such a redirect before you connect again", out);
}

void
verdict_too_often(const struct port_policy *row, struct judgement *out)
{
    char what[96];

    snprintf(what, sizeof what, "the client connected %d times within %.0f s",
             VERDICT_COUNT_MOST, VERDICT_COUNT_SECONDS);
    fails(row, what, "follow no more than a few redirects in a row", out);
}
