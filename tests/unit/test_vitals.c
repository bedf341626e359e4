/*
 * test_vitals.c - a backend fails and comes back, and is not told too often
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/vitals.h"

#include <errno.h>

#include "base/log.h"
#include "hearing.h"

static struct vitals vitals;

static int
setup(void **state)
{
    (void)state;
    log_setup("test", LOG_TEXT, LOG_INFO);
    memset(&vitals, 0, sizeof vitals);
    return 0;
}

static void
expect(enum vitals_state state, unsigned failed)
{
    assert_int_equal(counted(&vitals.state), state);
    assert_int_equal(counted(&vitals.failed), failed);
    assert_int_equal(counted(&vitals.since) != 0, state != VITALS_UNKNOWN);
}

static void
failed(int error)
{
    vitals_fail(&vitals, "sales", "db:50000", error);
}

/* Would catch a log that a dead backend fills, and one that tells nothing. */
static void
failures_are_told_once(void **state)
{
    (void)state;
    expect(VITALS_UNKNOWN, 0);
    listen_to_log();
    for (int i = 0; i < 3; i++)
        failed(ECONNREFUSED);
    failed(VITALS_CLOSED);
    assert_string_equal(heard(),
                        "test: warning: port 'sales': the database server at "
                        "db:50000 cannot be reached: Connection refused");
    expect(VITALS_FAILING, 4);
    assert_string_equal(vitals_error_text((int)counted(&vitals.error)),
                        "closed without a challenge");
}

/* Would catch a recovery that is not told, or told for each connection; and a
 * new failure that the last one's warning hides. */
static void
so_is_recovery(void **state)
{
    (void)state;
    listen_to_log();
    failed(ETIMEDOUT);
    (void)heard();
    listen_to_log();
    for (int i = 0; i < 3; i++)
        vitals_answer(&vitals, "sales");
    assert_string_equal(heard(), "test: port 'sales': the database server "
                                 "answers again");
    expect(VITALS_REACHABLE, 1);
    listen_to_log();
    failed(ECONNRESET);
    assert_non_null(strstr(heard(), "Connection reset by peer"));
    expect(VITALS_FAILING, 2);
}

/* The first that ever answers is no news. */
static void
health_is_not_told(void **state)
{
    (void)state;
    listen_to_log();
    vitals_answer(&vitals, "sales");
    failed(ECONNREFUSED);
    assert_non_null(strstr(heard(), "refused"));
    expect(VITALS_FAILING, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(failures_are_told_once, setup),
        cmocka_unit_test_setup(so_is_recovery, setup),
        cmocka_unit_test_setup(health_is_not_told, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
