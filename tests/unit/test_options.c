/*
 * test_options.c - a command line as a table
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "base/options.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cake {
    double seconds;
    const char *name, *note, *operand;
    int eggs;
};

static const char *
set_seconds(void *settings, const char *value)
{
    return options_seconds(&((struct cake *)settings)->seconds, value);
}

static const char *
set_name(void *settings, const char *value)
{
    ((struct cake *)settings)->name = value;
    return strcmp(value, "bad") == 0 ? "is bad" : NULL;
}

static const char *
set_note(void *settings, const char *value)
{
    ((struct cake *)settings)->note = value;
    return NULL;
}

static const char *
add_egg(void *settings, const char *value)
{
    assert_string_equal(value, "");
    ((struct cake *)settings)->eggs++;
    return NULL;
}

static const char *
set_operand(void *settings, const char *value)
{
    struct cake *cake = settings;
    const char *before = cake->operand;

    cake->operand = value;
    return before != NULL ? "is too much" : NULL;
}

static const struct option_row rows[] = {
    {'s', "seconds", "S", set_seconds, "time in the oven"},
    {0, "name-that-takes-much", "ROOM", set_name, "one line\nand another"},
    {'o', "note", "[TEXT]", set_note, "may have a value"},
    {'e', "egg", NULL, add_egg, "one more"},
    {'V', "version", NULL, NULL, "print the version"},
    {'h', "help", NULL, NULL, "print this"},
};

static struct command_line line = {
    .program = "cake",
    .purpose = "Bakes.\n",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .unknown = "is unknown",
    .refused = "--%s: '%.10s'",
};

/* Read a command line, split at blanks; *text gets all that it wrote. */
static enum options_result
bake(struct cake *cake, const char *words, char **text)
{
    static char copy[256];
    char *argv[16] = {(char *)"cake"};
    FILE *out = stdout, *err = stderr;
    enum options_result result;
    size_t length;
    int argc = 1;

    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    *cake = (struct cake){0};
    stdout = stderr = open_memstream(text, &length);
    assert_non_null(stdout);
    result = options_read(&line, cake, argc, argv);
    fclose(stdout);
    stdout = out;
    stderr = err;
    return result;
}

static void
values_are_taken(void **state)
{
    struct cake cake;
    char *text;

    (void)state;
    line.operand = set_operand;
    assert_int_equal(bake(&cake, "-ees2.5 --name x --note=hot icing", &text),
                     OPTIONS_RUN);
    assert_string_equal(text, "");
    free(text);
    assert_true(cake.seconds == 2.5 && cake.eggs == 2);
    assert_string_equal(cake.name, "x");
    assert_string_equal(cake.note, "hot");
    assert_string_equal(cake.operand, "icing");
    assert_int_equal(bake(&cake, "--note hot", &text), OPTIONS_RUN);
    free(text);
    assert_string_equal(cake.note, "");
    assert_string_equal(cake.operand, "hot");
    assert_int_equal(bake(&cake, "-o -e", &text), OPTIONS_RUN);
    free(text);
    assert_true(cake.eggs == 1);
}

/* Would catch an error that changes its form, or names the wrong culprit. */
static void
errors_are_one_line(void **state)
{
    static const struct {
        const char *words, *error;
        bool operand;
    } cases[] = {
        {"-x", "-x is unknown", false},
        {"-ex", "-x is unknown", false},
        {"--nonsense -e", "--nonsense is unknown", false},
        {"--n x", "--n is unknown", false}, /* name or note */
        {"--egg=1", "--egg=1 is unknown", false},
        {"-s", "-s needs an argument", false},
        {"-e --seconds", "--seconds needs an argument", false},
        {"-s 1s", "--seconds: '1s' is not a number of seconds", false},
        {"--sec -1", "--seconds: '-1' is not a number of seconds", false},
        {"-s inf", "--seconds: 'inf' is not a number of seconds", false},
        {"--na bad", "--name-that-takes-much: 'bad' is bad", false},
        {"-s 123456789012x",
         "--seconds: '1234567890' is not a number of "
         "seconds",
         false},
        {"one -e", "one is one argument too many", false},
        {"one two", "two is too much", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char wanted[256];
        struct cake cake;
        char *text;

        line.operand = cases[i].operand ? set_operand : NULL;
        snprintf(wanted, sizeof wanted, "cake: %s (see cake --help)\n",
                 cases[i].error);
        assert_int_equal(bake(&cake, cases[i].words, &text), OPTIONS_USAGE);
        assert_string_equal(text, wanted);
        free(text);
    }
}

static void
questions_are_answered_at_once(void **state)
{
    static const char help[] =
        "Usage: cake [OPTION]...\n"
        "Bakes.\n"
        "\n"
        "  -s, --seconds S                time in the oven\n"
        "      --name-that-takes-much ROOM\n"
        "                                 one line\n"
        "                                 and another\n"
        "  -o, --note [TEXT]              may have a value\n"
        "  -e, --egg                      one more\n"
        "  -V, --version                  print the version\n"
        "  -h, --help                     print this\n";
    struct cake cake;
    char *text;

    (void)state;
    assert_int_equal(bake(&cake, "--he --nonsense", &text), OPTIONS_DONE);
    assert_string_equal(text, help);
    free(text);
    assert_int_equal(bake(&cake, "-eV", &text), OPTIONS_DONE);
    assert_string_equal(text, "cake " MAPITEST_VERSION "\n");
    free(text);
}

static void
numbers_have_bounds(void **state)
{
    static const struct {
        const char *text;
        int number; /* -1: refused */
    } cases[] = {
        {"1", 1},   {"007", 7},         {"250", 250},
        {"0", -1},  {"251", -1},        {"", -1},
        {"-1", -1}, {"+1", -1},         {" 1", -1},
        {"1 ", -1}, {"4294967297", -1}, {"99999999999999999999999", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned number = 0;
        const char *wrong =
            options_number(&number, 1, 250, cases[i].text, "is wrong");

        assert_true((wrong == NULL) == (cases[i].number != -1));
        if (wrong == NULL)
            assert_int_equal(number, cases[i].number);
    }
}

static void
formats_have_names(void **state)
{
    enum log_format format;

    (void)state;
    for (int i = 0; i < LOG_FORMATS; i++) {
        assert_null(options_log_format(&format, log_format_names[i]));
        assert_int_equal(format, i);
    }
    assert_non_null(options_log_format(&format, "xml"));
    assert_non_null(options_log_format(&format, ""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_taken),
        cmocka_unit_test(errors_are_one_line),
        cmocka_unit_test(questions_are_answered_at_once),
        cmocka_unit_test(numbers_have_bounds),
        cmocka_unit_test(formats_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
