/*
 * test_log.c - what a line of the log is, whatever goes into it
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "base/log.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hearing.h"

static void
listen_to(enum log_format format)
{
    log_setup("test", format, LOG_DEBUG);
    listen_to_log();
}

static json_t *
heard_json(void)
{
    json_t *json = json_loads(heard(), JSON_REJECT_DUPLICATES, NULL);

    assert_true(json_is_object(json));
    return json;
}

/* Would catch a line of JSON that is cut off where the pipe's limit is: a
 * client with long names kept its records out of the log. */
static void
long_texts_give_way(void **state)
{
    char text[4000], name[3000];
    json_t *json;
    const char *message;

    (void)state;
    memset(text, 'm', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memset(name, '\\', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    listen_to(LOG_JSON);
    log_record(LOG_INFO, text,
               json_pack("{s:s, s:{s:s, s:s}}", "event", "connection", "tls",
                         "sni", name, "version", "TLSv1.3"));
    json = heard_json();
    message = json_string_value(json_object_get(json, "message"));
    assert_string_equal(message + strlen(message) - 3, "...");
    assert_string_equal(json_string_value(json_object_get(json, "event")),
                        "connection");
    assert_string_equal(json_string_value(json_object_get(
                            json_object_get(json, "tls"), "version")),
                        "TLSv1.3");
    json_decref(json);
}

/* Would catch a cut through the middle of a character: no UTF-8, no line. */
static void
cuts_are_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        char text[4000] = "abcd";
        json_t *json;

        text[shift] = '\0';
        while (strlen(text) < 3990)
            strcat(text, "\xe2\x82\xac");
        listen_to(LOG_JSON);
        log_record(LOG_INFO, text, NULL);
        json = heard_json();
        assert_non_null(json_object_get(json, "message"));
        json_decref(json);
    }
}

/* Would catch a message that vanishes from its line because a path, say, is no
 * UTF-8. */
static void
bytes_that_are_no_utf8_are_escaped(void **state)
{
    json_t *json;

    (void)state;
    listen_to(LOG_JSON);
    log_error("cannot write to %s", "/tmp/\xff\xfe");
    json = heard_json();
    assert_string_equal(json_string_value(json_object_get(json, "message")),
                        "cannot write to /tmp/\\xff\\xfe");
    json_decref(json);
}

/* Would catch a text that moves the cursor or begins a line of its own. */
static void
control_characters_stay_inside(void **state)
{
    (void)state;
    listen_to(LOG_TEXT);
    log_info("a\nb\x1b[2Jc\x7f");
    assert_string_equal(heard(), "test: a?b?[2Jc?");
}

/* Would catch a journal that shows every line as information, or the program's
 * name twice. */
static void
journal_lines_have_a_priority(void **state)
{
    (void)state;
    listen_to(LOG_JOURNAL);
    log_error("broken");
    assert_string_equal(heard(), "<3>error: broken");
    listen_to(LOG_JOURNAL);
    log_warning("cracked");
    assert_string_equal(heard(), "<4>warning: cracked");
    listen_to(LOG_JOURNAL);
    log_info("<3>whole");
    assert_string_equal(heard(), "<6><3>whole");
    listen_to(LOG_JOURNAL);
    log_debug("inside");
    assert_string_equal(heard(), "<7>inside");
}

static void
lines_of_another_program_name_it(void **state)
{
    (void)state;
    listen_to(LOG_JOURNAL);
    log_show_program();
    log_warning("cracked");
    assert_string_equal(heard(), "<4>test: warning: cracked");
}

/* Would catch priorities in a terminal or a file, where they are noise. */
static void
the_journal_is_recognised(void **state)
{
    char name[64];
    struct stat status;

    (void)state;
    unsetenv("JOURNAL_STREAM");
    assert_int_equal(log_default_format(), LOG_TEXT);
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", name, 1);
    assert_int_equal(log_default_format(), LOG_JOURNAL);
    snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino + 1);
    setenv("JOURNAL_STREAM", name, 1);
    assert_int_equal(log_default_format(), LOG_TEXT);
    unsetenv("JOURNAL_STREAM");
}

static void
the_last_error_is_kept(void **state)
{
    char text[3000];

    (void)state;
    listen_to(LOG_TEXT);
    log_error("the first");
    heard();
    listen_to(LOG_JSON);
    errno = ENOENT;
    log_errno("cannot open\n%s", "x");
    heard();
    assert_string_equal(log_last_error(),
                        "cannot open?x: No such file or directory");
    listen_to(LOG_TEXT);
    log_warning("no error");
    heard();
    assert_string_equal(log_last_error(),
                        "cannot open?x: No such file or directory");
    listen_to(LOG_TEXT);
    log_error("\xff");
    heard();
    assert_string_equal(log_last_error(), "\\xff");
    strcpy(text, "a");
    while (strlen(text) < sizeof text - 4)
        strcat(text, "\xe2\x82\xac");
    listen_to(LOG_TEXT);
    log_error("%s", text);
    heard();
    assert_int_equal(strlen(log_last_error()), 1021);
    assert_memory_equal(log_last_error(), text, 1021);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_texts_give_way),
        cmocka_unit_test(cuts_are_between_characters),
        cmocka_unit_test(bytes_that_are_no_utf8_are_escaped),
        cmocka_unit_test(control_characters_stay_inside),
        cmocka_unit_test(journal_lines_have_a_priority),
        cmocka_unit_test(lines_of_another_program_name_it),
        cmocka_unit_test(the_journal_is_recognised),
        cmocka_unit_test(the_last_error_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
