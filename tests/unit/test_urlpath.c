/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/urlpath.h"

static void
paths_are_decoded_once(void **state)
{
    static const struct {
        const char *target;
        const char *path; /* NULL: refused */
    } cases[] = {
        {"/", "/"},
        {"/server1.crt", "/server1.crt"},
        {"/server1.crt?test=a%zz", "/server1.crt"},
        {"/%73erver1%2Ecrt", "/server1.crt"},
        {"/%2573erver1.crt", "/%73erver1.crt"},
        {"/..%2f..%2Fetc", "/../../etc"},
        {"http://localhost:1/x?y", "/x"},
        {"HTTP://h/x", "/x"},
        {"http://localhost", NULL},
        {"http://localhost?x", NULL},
        {"", NULL},
        {"*", NULL},
        {"server1.crt", NULL},
        {"/%", NULL},
        {"/%4", NULL},
        {"/%4g", NULL},
        {"/%00", NULL},
        {"/server1.crt%00.der", NULL},
    };
    char path[64];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool good = urlpath_decode(cases[i].target, strlen(cases[i].target),
                                   path, sizeof path);

        if (good != (cases[i].path != NULL))
            fail_msg("case %zu: %s", i, cases[i].target);
        if (good)
            assert_string_equal(path, cases[i].path);
    }
}

static void
paths_that_do_not_fit_are_refused(void **state)
{
    char path[5];

    (void)state;
    assert_true(urlpath_decode("/abc", 4, path, sizeof path));
    assert_false(urlpath_decode("/abcd", 5, path, sizeof path));
    assert_true(urlpath_decode("/%61bc", 6, path, sizeof path));
    assert_false(urlpath_decode("/a\0c", 4, path, sizeof path));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_decoded_once),
        cmocka_unit_test(paths_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
