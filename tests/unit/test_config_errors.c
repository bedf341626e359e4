/*
 * test_config_errors.c - one line for whatever is wrong with a configuration
 *
 * Would catch a mistake of the operator's that is passed over, or one that the
 * log does not lead to.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/config.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hearing.h"

#define BAD_MIN 45 /* a folder that got lost proves nothing */

static const struct settings settings;
/* What is logged when path is read, which fails. */
static char *
error_of(const char *path)
{
    struct config *config;

    listen_to_log();
    config = config_read(path, &settings);
    dprintf(STDERR_FILENO, config != NULL ? "taken\n" : "");
    config_free(config);
    return heard();
}

/* "// error: LINE: WHAT" is the first line of each. */
static void
each_bad_file_has_its_error(void **state)
{
    static const char begin[] = "// error: ";
    char first[1024], want[2048];
    glob_t found;

    (void)state;
    assert_int_equal(
        glob(MAPITEST_SOURCE_DIR "/tests/configs/bad/*.json", 0, NULL, &found),
        0);
    assert_true(found.gl_pathc >= BAD_MIN);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        FILE *in = fopen(path, "r");

        print_message("%s\n", path);
        assert_non_null(in);
        assert_non_null(fgets(first, sizeof first, in));
        fclose(in);
        first[strcspn(first, "\n")] = '\0';
        assert_int_equal(strncmp(first, begin, strlen(begin)), 0);
        snprintf(want, sizeof want, "mapitest: error: %s:%s", path,
                 first + strlen(begin));
        assert_string_equal(error_of(path), want);
    }
    globfree(&found);
}

/* Writes a configuration of so many bytes, most of them a comment. */
static void
write_file(const char *path, size_t bytes)
{
    static const char begin[] =
        "{\"ports\": [{\"name\": \"a\", \"listen\": [\"[::1]:1\"], "
        "\"plain\": true, \"backend\": \"simulator\"}]} //";
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    fputs(begin, out);
    for (size_t i = strlen(begin); i < bytes; i++)
        fputc('x', out);
    assert_int_equal(fclose(out), 0);
}

static void
what_is_no_file_is_an_error(void **state)
{
    char folder[] = "/tmp/test_config.XXXXXX";
    char path[64], want[128];
    struct config *config;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/c.json", folder);

    snprintf(want, sizeof want,
             "mapitest: error: %s: No such file or directory", path);
    assert_string_equal(error_of(path), want);
    snprintf(want, sizeof want, "mapitest: error: %s: Is a directory", folder);
    assert_string_equal(error_of(folder), want);

    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(want, sizeof want, "mapitest: error: %s: is not a regular file",
             path);
    assert_string_equal(error_of(path), want);
    unlink(path);

    write_file(path, CONFIG_BYTES_MAX + 1);
    snprintf(want, sizeof want,
             "mapitest: error: %s: is longer than 1048576 bytes", path);
    assert_string_equal(error_of(path), want);
    write_file(path, CONFIG_BYTES_MAX);
    config = config_read(path, &settings);
    assert_non_null(config);
    config_free(config);
    unlink(path);
    rmdir(folder);
}

/* Would catch bytes in a comment that are passed over, or a language that is
 * refused there. */
static void
comments_are_utf8_too(void **state)
{
    static const struct {
        const char *bytes;
        bool good;
    } rows[] = {
        {"\x01\x7f", true},
        {"\xc2\x80", true},
        {"\xdf\xbf", true},
        {"\xe0\xa0\x80", true},
        {"\xed\x9f\xbf", true},
        {"\xee\x80\x80", true},
        {"\xef\xbf\xbf", true},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\x80", false},
        {"\xc1\xbf", false},
        {"\xc2", false},
        {"\xc2\x7f", false},
        {"\xc2\xc0", false},
        {"\xe0\x9f\xbf", false},
        {"\xe1\x80", false},
        {"\xe1\x80\xc0", false},
        {"\xed\xa0\x80", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf1\x80\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\xff", false},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int length = snprintf(text, sizeof text,
                              "{\"ports\": [{\"name\": \"a\", \"plain\": true, "
                              "\"listen\": [\"[::1]:1\"],\n\"backend\": "
                              "\"simulator\"}]}\n// \xc3\xa9\xe2\x82\xac%s",
                              rows[i].bytes);
        struct config *config;

        listen_to_log();
        config = config_parse("c.json", text, (size_t)length, &settings);
        dprintf(STDERR_FILENO, config != NULL ? "taken\n" : "");
        config_free(config);
        assert_string_equal(
            heard(), rows[i].good ? "taken"
                                  : "mapitest: error: c.json:3: is not UTF-8, "
                                    "or has a NUL in it");
    }
}

/* Would catch a caller's error that names another place than a parser's. */
static void
others_errors_have_the_same_form(void **state)
{
    struct config config = {.path = (char *)"c.json"};

    (void)state;
    listen_to_log();
    config_error(&config, 12, "%s: has expired", "a.pem");
    assert_string_equal(heard(), "mapitest: error: c.json:12: a.pem: has "
                                 "expired");
}

/* Would catch a name that an operator cannot have because some test port, which
 * is not even open, is called that; and one that two open ports have. */
static void
names_of_closed_ports_are_free(void **state)
{
    static const struct {
        bool tester;
        unsigned groups;
        const char *name;
        bool taken;
    } rows[] = {
        {false, (1u << GROUP_COUNT) - 1, "large", false},
        {true, (1u << GROUP_COUNT) - 1, "large", true},
        {true, 1u << GROUP_CLASSIC, "large", false},
        {true, 1u << GROUP_CHAINS, "large", true},
        {false, 0, "plain", true},
        {true, 1u << GROUP_CHAINS, "plain", true},
        {false, 0, "base", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct settings beside = settings;
        struct config *config;
        char text[256];

        snprintf(text, sizeof text,
                 "{\"ports\": [{\"name\": \"%s\", \"listen\": "
                 "[\"[::1]:50001\"], \"plain\": true, "
                 "\"backend\": \"db:1\"}]}",
                 rows[i].name);
        beside.tester = rows[i].tester;
        beside.groups = rows[i].groups;
        config = config_parse("ports.json", text, strlen(text), &beside);
        if ((config == NULL) != rows[i].taken)
            fail_msg("row %zu", i);
        config_free(config);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_closed_ports_are_free),
        cmocka_unit_test(each_bad_file_has_its_error),
        cmocka_unit_test(what_is_no_file_is_an_error),
        cmocka_unit_test(comments_are_utf8_too),
        cmocka_unit_test(others_errors_have_the_same_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
