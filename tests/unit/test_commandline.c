/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parse_line.h"

/* Long options may be shortened: the old container image says --listen. */
static void
command_lines_are_read(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(parse(&s, "--listen 1.2.3.4 --base=7 -n a --host b"),
                     OPTIONS_RUN);
    assert_true(s.serve);
    assert_int_equal(s.base_port, 7);
    assert_string_equal(s.listen[0], "1.2.3.4");
    assert_int_equal(s.hostname_count, 2);
    assert_string_equal(s.hostnames[1], "b");
    assert_int_equal(parse(&s, "-f 7:[::1]:8"), OPTIONS_RUN);
    assert_true(s.serve && s.forward.set);
    assert_string_equal(s.forward.host, "::1");
    assert_int_equal(s.forward.port, 8);
    assert_string_equal(s.hostnames[0], "localhost.localdomain");
    assert_int_equal(parse(&s, "-w dir"), OPTIONS_RUN);
    assert_false(s.serve);
    assert_int_equal(parse(&s, "-p 0 --idle-timeout 0.5"), OPTIONS_RUN);
    assert_true(s.timers.idle == 0.5 && s.timers.handshake == 10);
}

/* Would catch a configuration alone that opens the test ports too. */
static void
what_is_served_follows_from_the_options(void **state)
{
    static const struct {
        const char *line;
        bool serve, tester;
    } cases[] = {
        {"-w dir", false, false},
        {"-p 0", true, true},
        {"-f 0:localhost:1", true, true},
        {"--config file", true, false},
        {"--config file -w dir", true, false},
        {"--config file -p 1", true, true},
        {"--config file -f 0:localhost:1", true, true},
        {"--config file --check", true, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings s;

        assert_int_equal(parse(&s, cases[i].line), OPTIONS_RUN);
        if (s.serve != cases[i].serve || s.tester != cases[i].tester)
            fail_msg("%s", cases[i].line);
        assert_false(s.health);
    }
}

static void
options_of_the_front_are_read(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(parse(&s, "--config c.json --state dir --user nobody "
                               "--limit-connections 10 --limit-per-client 3 "
                               "--limit-handshakes 1000000 --limit-http 10000 "
                               "--allow-world-readable-keys "
                               "--log-format journal"),
                     OPTIONS_RUN);
    assert_string_equal(s.config, "c.json");
    assert_string_equal(s.state, "dir");
    assert_string_equal(s.user, "nobody");
    assert_int_equal(s.limits.connections, 10);
    assert_int_equal(s.limits.per_client, 3);
    assert_int_equal(s.limits.handshakes, 1000000);
    assert_int_equal(s.http_connections, 10000);
    assert_true(s.allow_world_readable_keys && !s.check);
    assert_int_equal(s.log_format, LOG_JOURNAL);
    assert_int_equal(parse(&s, "-p 0"), OPTIONS_RUN);
    assert_true(s.config == NULL && s.state == NULL && s.user == NULL);
    assert_int_equal(s.limits.connections, 0);
    assert_int_equal(s.http_connections, 256);
    assert_false(s.allow_world_readable_keys);
}

static void
health_has_one_url_at_most(void **state)
{
    struct settings s;

    (void)state;
    assert_int_equal(parse(&s, "--health"), OPTIONS_RUN);
    assert_true(s.health && s.health_url == NULL);
    assert_int_equal(parse(&s, "--health http://h/"), OPTIONS_RUN);
    assert_string_equal(s.health_url, "http://h/");
    assert_int_equal(parse(&s, "--health=http://h/"), OPTIONS_RUN);
    assert_string_equal(s.health_url, "http://h/");
}

static void
wrong_command_lines_are_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "-n name",
        "--check",
        "-p 0 --check",
        "--state dir",
        "--user nobody",
        "--config a --config b",
        "-p 0 --limit-connections -1",
        "-p 0 --limit-connections 1000001",
        "-p 0 --limit-per-client 99999999999999999999",
        "-p 0 --limit-handshakes 1x",
        "-p 0 --limit-handshakes=",
        "-p 0 --limit-http 0",
        "-p 0 --limit-http 10001",
        "-p 0 --config=",
        "-p 0 --user=",
        "--health -v",
        "--health -p 0",
        "-p 0 --health",
        "--health a b",
        "--health=a b",
        "--health --health",
        "--he",
        "-p",
        "-p x",
        "-p 65536",
        "-p 1 extra",
        "-p 1 --no-such",
        "-p 1 -x",
        "-p 1 --l text",
        "-p 0 --sequential",
        "-f 1:localhost:2 --sequential",
        "-p 1 -f 1:localhost:2",
        "-p 1 -f 1:localhost:2 -f 3:localhost:4",
        "-p 1 -f localhost:2",
        "-p 1 -f 1:localhost",
        "-p 1 -f 1:localhost:0",
        "-p 1 -f 1::2",
        "-p 1 -f 1:::1:2",
        "-p 1 -f 123456789:localhost:2",
        "-p 1 -b localhost",
        "-p 1 -a base=2",
        "-p 1 -a plain",
        "-p 1 -a =2",
        "-p 1 -a plain=0",
        "-p 1 -a plain=2x",
        "-p 1 --ports",
        "-p 1 --ports nosuch",
        "-p 1 --ports classic,",
        "-p 1 --advertise-base 2",
        "-p 1 --workers 0",
        "-p 1 --workers 65",
        "-p 1 --idle-timeout -1",
        "-p 1 --idle-timeout nan",
        "-p 1 --idle-timeout inf",
        "-p 1 --idle-timeout 1s",
        "-p 1 --renew-after 0.5",
        "-p 1 --log-format xml",
    };
    struct settings settings;

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (parse(&settings, lines[i]) != OPTIONS_USAGE)
            fail_msg("accepted: %s", lines[i]);
}

/* Would catch a message that names the program itself, or the argument before,
 * as the wrong option. */
static void
usage_names_the_culprit(void **state)
{
    static const struct {
        const char *line, *begins;
    } cases[] = {
        {"-x", "mapitest: -x is not an option"},
        {"-vx", "mapitest: -x is not an option"},
        {"-p 1 -vxv", "mapitest: -x is not an option"},
        {"--nonsense", "mapitest: --nonsense is not an option"},
        {"-p 1 --h", "mapitest: --h is not an option, or is ambiguous"},
        {"--verbose=3", "mapitest: --verbose=3 is not an option"},
        {"-vp", "mapitest: -p needs an argument"},
        {"--backend", "mapitest: --backend needs an argument"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *real = stderr;
        struct settings settings;
        char *text = NULL;
        size_t length;
        enum options_result result;

        stderr = open_memstream(&text, &length);
        assert_non_null(stderr);
        result = parse(&settings, cases[i].line);
        fclose(stderr);
        stderr = real;
        assert_int_equal(result, OPTIONS_USAGE);
        if (strncmp(text, cases[i].begins, strlen(cases[i].begins)) != 0)
            fail_msg("%s: %s", cases[i].line, text);
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_are_read),
        cmocka_unit_test(what_is_served_follows_from_the_options),
        cmocka_unit_test(options_of_the_front_are_read),
        cmocka_unit_test(health_has_one_url_at_most),
        cmocka_unit_test(wrong_command_lines_are_refused),
        cmocka_unit_test(usage_names_the_culprit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
