/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log.h"
#include "proxy/backend.h"

static struct target targets[] = {
    {true, "127.0.0.1", 50000},
    {true, "127.0.0.2", 50001},
    {true, "127.0.0.1", 50000}, /* the first once more */
};

static const char *
text(const struct backend *backend, int i)
{
    static char out[NET_TEXT_MAX];

    return net_text(&backend->addresses[i], out);
}

static void
addresses_come_in_the_order_of_targets(void **state)
{
    struct backend backend = {.targets = targets, .target_count = 3};

    (void)state;
    assert_int_equal(backend_resolve(&backend, "test"), 0);
    assert_int_equal(backend.count, 2);
    assert_string_equal(text(&backend, 0), "127.0.0.1:50000");
    assert_string_equal(text(&backend, 1), "127.0.0.2:50001");
    assert_false(backend_has_names(&backend));
}

/* A name server's failure that takes a working address away. */
static void
what_cannot_be_resolved_stays(void **state)
{
    struct target names[] = {
        {true, "127.0.0.1", 50000},
        {true, "127.0.0.2", 50001},
    };
    struct backend backend = {.targets = names, .target_count = 2};

    (void)state;
    log_setup("test", LOG_TEXT, LOG_ERROR);
    assert_int_equal(backend_resolve(&backend, NULL), 0);
    for (int round = 0; round < 3; round++) {
        snprintf(names[0].host, sizeof names[0].host, "gone.invalid");
        assert_int_equal(backend_resolve(&backend, NULL), 1);
        assert_int_equal(backend.count, 2);
        assert_string_equal(text(&backend, 0), "127.0.0.1:50000");
        assert_string_equal(text(&backend, 1), "127.0.0.2:50001");
    }
    assert_true(backend_has_names(&backend));
    snprintf(names[1].host, sizeof names[1].host, "gone.invalid");
    assert_int_equal(backend_resolve(&backend, NULL), 2);
    assert_int_equal(backend.count, 2);
    snprintf(names[0].host, sizeof names[0].host, "127.0.0.3");
    assert_int_equal(backend_resolve(&backend, NULL), 1);
    assert_int_equal(backend.count, 2);
    assert_string_equal(text(&backend, 0), "127.0.0.3:50000");
}

/* A dead name that takes all others with it. */
static void
the_others_are_found(void **state)
{
    struct target some[] = {
        {true, "192.0.2.2", 2},
        {true, "nowhere.invalid", 3},
        {true, "2001:db8::1", 1},
    };
    struct backend backend = {.targets = some, .target_count = 3};

    (void)state;
    assert_int_equal(backend_resolve(&backend, NULL), 1);
    assert_int_equal(backend.count, 2);
    assert_string_equal(text(&backend, 0), "192.0.2.2:2");
    assert_string_equal(text(&backend, 1), "[2001:db8::1]:1");
}

static void
none_at_all_is_an_error(void **state)
{
    struct target name = {true, "gone.invalid", 50000};
    struct backend backend = {.targets = &name, .target_count = 1};

    (void)state;
    assert_int_equal(backend_resolve(&backend, NULL), -1);
    assert_int_equal(backend.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_in_the_order_of_targets),
        cmocka_unit_test(what_cannot_be_resolved_stays),
        cmocka_unit_test(the_others_are_found),
        cmocka_unit_test(none_at_all_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
