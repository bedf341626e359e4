/*
 * test_query.c - parameters of requests: decoded once, typed, checked
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/query.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const char *const colours[] = {"red", "green", "blue"};

struct asked {
    struct query_text name;
    struct query_number count;
    struct query_word colour;
};

static const struct query_rule rules[] = {
    {"name", QUERY_TEXT, offsetof(struct asked, name), 0, NULL},
    {"count", QUERY_NUMBER, offsetof(struct asked, count), 60, NULL},
    {"colour", QUERY_WORD, offsetof(struct asked, colour), 3, colours},
};

/* Read from a block of just that size, so that a sanitizer sees the end. */
static bool
ask(const char *query, size_t length, struct asked *asked, char *error)
{
    char *copy = malloc(length + 1);
    bool good;

    assert_non_null(copy);
    memcpy(copy, query, length);
    memset(asked, 0, sizeof *asked);
    error[0] = '\0';
    good = query_read(copy, length, rules, 3, asked, error);
    free(copy);
    return good;
}

/* Would catch a name that is cut, decoded twice, or taken from the first of
 * two parameters. */
static void
texts_are_decoded_once_and_the_last_counts(void **state)
{
    static const struct {
        const char *query;
        const char *name; /* NULL: not given */
    } cases[] = {
        {"", NULL},
        {"name=a", "a"},
        {"x=1&name=a&y", "a"},
        {"name=a&name=b", "b"},
        {"name=a&name", ""},
        {"name=", ""},
        {"name", ""},
        {"name=a=b", "a=b"},
        {"name=%2541", "%41"},
        {"name=a%26b", "a&b"},
        {"name=a+b", "a+b"},
        {"n%61me=a", "a"},
        {"name=%ff%C3%a9", "\xff\xc3\xa9"},
        {"Name=a", NULL},
        {"names=a&nam=b&=c&&", NULL},
        {"x%=1&name=a", "a"},
        {"name=%&name=a", "a"}, /* one that does not count */
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1", NULL},
    };
    char error[QUERY_ERROR_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct asked asked;

        if (!ask(cases[i].query, strlen(cases[i].query), &asked, error))
            fail_msg("%s: %s", cases[i].query, error);
        if (asked.name.given != (cases[i].name != NULL))
            fail_msg("%s", cases[i].query);
        if (cases[i].name != NULL)
            assert_string_equal(asked.name.bytes, cases[i].name);
        assert_int_equal(asked.name.length, strlen(asked.name.bytes));
    }
}

/* Would catch an error that does not say which parameter is meant. */
static void
errors_name_the_parameter(void **state)
{
    static const struct {
        const char *query;
        const char *error;
    } cases[] = {
        {"name=%", "name has a % without two hexadecimal digits"},
        {"name=%4", "name has a % without two hexadecimal digits"},
        {"name=%4g", "name has a % without two hexadecimal digits"},
        {"count=", "count must be a number from 0 to 60"},
        {"count=61", "count must be a number from 0 to 60"},
        {"count=-1", "count must be a number from 0 to 60"},
        {"count=1e1", "count must be a number from 0 to 60"},
        {"count=+1", "count must be a number from 0 to 60"},
        {"count=1%00", "count must be a number from 0 to 60"},
        {"count=18446744073709551617", "count must be a number from 0 to 60"},
        {"count=99999999999999999999999999",
         "count must be a number from 0 to 60"},
        {"colour=", "colour must be red, green or blue"},
        {"colour=Red", "colour must be red, green or blue"},
        {"colour=red%00", "colour must be red, green or blue"},
        {"colour=redd", "colour must be red, green or blue"},
    };
    char error[QUERY_ERROR_MAX];
    struct asked asked;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (ask(cases[i].query, strlen(cases[i].query), &asked, error))
            fail_msg("%s is taken", cases[i].query);
        assert_string_equal(error, cases[i].error);
    }
}

static void
numbers_and_words_are_understood(void **state)
{
    char error[QUERY_ERROR_MAX];
    struct asked asked;

    (void)state;
    assert_true(ask("count=060&colour=blue", 21, &asked, error));
    assert_true(asked.count.given && asked.colour.given && !asked.name.given);
    assert_int_equal(asked.count.value, 60);
    assert_int_equal(asked.colour.value, 2);
    assert_true(ask("count=0", 7, &asked, error));
    assert_int_equal(asked.count.value, 0);
}

/* Would catch a text that is cut in silence at its room, or a NUL that hides
 * what is behind it. */
static void
a_text_has_200_bytes_and_any_byte(void **state)
{
    char query[8 + 201] = "name=";
    char error[QUERY_ERROR_MAX];
    struct asked asked;

    (void)state;
    memset(query + 5, 'x', 201);
    assert_true(ask(query, 5 + 200, &asked, error));
    assert_int_equal(asked.name.length, 200);
    assert_false(ask(query, 5 + 201, &asked, error));
    assert_string_equal(error, "name is longer than 200 bytes");
    assert_true(ask("name=a%00b", 10, &asked, error));
    assert_int_equal(asked.name.length, 3);
    assert_memory_equal(asked.name.bytes, "a\0b", 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_decoded_once_and_the_last_counts),
        cmocka_unit_test(errors_name_the_parameter),
        cmocka_unit_test(numbers_and_words_are_understood),
        cmocka_unit_test(a_text_has_200_bytes_and_any_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
