/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/layout.h"
#include "proxy/options.h"

/* Parse a command line, split at blanks, as the program would. */
static enum options_result
parse(struct settings *settings, const char *line)
{
    static char copy[512];
    char *argv[32] = {"mapitest"};
    int argc = 1;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    return options_parse(settings, argc, argv);
}

static int
plan(struct layout *layout, const char *line, char reason[256])
{
    struct settings settings;

    assert_int_equal(parse(&settings, line), OPTIONS_RUN);
    return layout_plan(layout, &settings, reason, 256);
}

static unsigned
number_of(const struct layout *layout, const char *name)
{
    const struct port *port = layout_find(layout, name);

    assert_non_null(port);
    return port->number;
}

/* Client suites hard-code these numbers: a row that moves breaks them. */
static void
sequential_numbers_are_the_contract(void **state)
{
    static const char *const order[] = {
        "server1",
        "server2",
        "server3",
        "plain",
        "expiredcert",
        "tls12",
        "clientauth",
        "sni",
        "alpn_mapi9",
        "redirect",
        /* hostile */
        "silent",
        "hangup",
        "garbage",
        "alert",
        "tls11",
        "truncate",
        "cut_message",
        "tiny_records",
        "slow",
        "key_update",
        "redirect_plain",
        "redirect_badhash",
        "redirect_loop",
        "login",
        "trusted",
    };
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(
        plan(&layout, "-p 4300 --sequential --ports classic", reason), 0);
    assert_int_equal(layout.count, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(number_of(&layout, order[i]), 4301 + i);
    assert_int_equal(plan(&layout,
                          "-p 4300 --sequential --trusted-cert c "
                          "--trusted-key k",
                          reason),
                     0);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        assert_int_equal(number_of(&layout, order[i]), 4301 + i);
}

/* Would catch a redirect to a port that is not there, which crashes a worker,
 * and rows that move when others are absent. */
static void
hostile_ports_keep_their_numbers(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(
        plan(&layout, "-p 4300 --sequential --ports hostile", reason), 0);
    assert_int_equal(number_of(&layout, "silent"), 4301);
    assert_null(layout_find(&layout, "redirect_plain"));
    assert_null(layout_find(&layout, "redirect_badhash"));
    assert_int_equal(number_of(&layout, "redirect_loop"), 4313);
    assert_int_equal(number_of(&layout, "login"), 4314);
    assert_null(layout_find(&layout, "trusted"));
}

static void
given_numbers_are_skipped(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(plan(&layout,
                          "-p 4300 --sequential -a plain=4302 "
                          "-f 4304:localhost:50000",
                          reason),
                     0);
    assert_int_equal(number_of(&layout, "server1"), 4301);
    assert_int_equal(number_of(&layout, "plain"), 4302);
    assert_int_equal(number_of(&layout, "server2"), 4303);
    assert_int_equal(number_of(&layout, "forward"), 4304);
    assert_int_equal(number_of(&layout, "server3"), 4305);
    assert_int_equal(number_of(&layout, "expiredcert"), 4306);
}

static void
simulator_ports_need_the_simulator(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(plan(&layout, "-p 4300 -b localhost:50000", reason), 0);
    assert_null(layout_find(&layout, "redirect"));
    assert_null(layout_find(&layout, "forward"));
    assert_non_null(layout_find(&layout, "alpn_mapi9"));
    assert_non_null(layout_find(&layout, "silent"));
    assert_non_null(layout_find(&layout, "tls11"));
    assert_null(layout_find(&layout, "truncate"));
    assert_null(layout_find(&layout, "slow"));
    assert_null(layout_find(&layout, "key_update"));
    assert_null(layout_find(&layout, "redirect_loop"));
}

static void
advertised_numbers_are_shifted(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(
        plan(&layout, "-p 4300 --sequential --advertise-base 14300", reason),
        0);
    assert_int_equal(layout_advertised(&layout, 4302), 14302);
}

static void
impossible_layouts_name_the_culprit(void **state)
{
    static const struct {
        const char *line, *culprit;
    } cases[] = {
        {"-p 1 -a nosuch=5", "nosuch"},
        {"-p 1 -a plain=5 -a plain=6", "plain"},
        {"-p 1 -a plain=5 -a sni=5", "sni"},
        {"-p 5 -a plain=5", "base"},
        {"-p 1 -a forward=5 -f 6:localhost:7", "forward"},
        {"-p 1 -a plain=6 -f 6:localhost:7", "6"},
        {"-p 65530 --sequential", "65530"},
    };
    struct layout layout;
    char reason[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(plan(&layout, cases[i].line, reason), -1);
        assert_non_null(strstr(reason, cases[i].culprit));
    }
}

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

/* Would catch a port map that shows port 0 because the shift wrapped. */
static void
shifted_numbers_stay_numbers(void **state)
{
    struct layout layout;
    char reason[256];

    (void)state;
    assert_int_equal(
        plan(&layout,
             "-p 4300 --sequential --ports classic --advertise-base 65525",
             reason),
        0);
    assert_int_equal(layout_advertised(&layout, 4310), 65535);
    assert_int_equal(
        plan(&layout,
             "-p 4300 --sequential --ports classic --advertise-base 65526",
             reason),
        -1);
    assert_string_equal(
        reason, "--advertise-base 65526 would show 'redirect' as port 65536");
    assert_int_equal(
        plan(&layout, "-p 4300 --sequential --advertise-base 300 -a plain=4000",
             reason),
        -1);
    assert_string_equal(reason,
                        "--advertise-base 300 would show 'plain' as port 0");
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
        cmocka_unit_test(sequential_numbers_are_the_contract),
        cmocka_unit_test(hostile_ports_keep_their_numbers),
        cmocka_unit_test(given_numbers_are_skipped),
        cmocka_unit_test(simulator_ports_need_the_simulator),
        cmocka_unit_test(advertised_numbers_are_shifted),
        cmocka_unit_test(impossible_layouts_name_the_culprit),
        cmocka_unit_test(command_lines_are_read),
        cmocka_unit_test(what_is_served_follows_from_the_options),
        cmocka_unit_test(options_of_the_front_are_read),
        cmocka_unit_test(health_has_one_url_at_most),
        cmocka_unit_test(wrong_command_lines_are_refused),
        cmocka_unit_test(shifted_numbers_stay_numbers),
        cmocka_unit_test(usage_names_the_culprit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
