/*
 * test_config.c - what a configuration file that is right means
 *
 * What is wrong with others: test_config_errors.c; the one that is given as an
 * example: test_config_example.c.
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
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PATH "/etc/mapitest/mapitest.json"

/* A port that is right, but for what follows and its brace. */
#define PORT_NAMED(name, at)                                                   \
    "{'name': '" name "', 'listen': ['[::1]:" at "'], 'backend': 'db:1'"
#define PORT     PORT_NAMED("a", "50001")
#define PORT_TLS PORT ", 'certificates': [{'chain': 'a.pem'}]"

static const struct settings settings = {
    .timers = {.handshake = 1,
               .connect = 2,
               .first_byte = 3,
               .idle = 4,
               .stall = 5,
               .half_closed = 6,
               .keepalive = 7,
               .linger = 8,
               .drain = 9,
               .silence = 10},
};

/* Reads text, where ' stands for ". */
static struct config *
parse_as(const char *path, const char *format, ...)
{
    static char text[64 * 1024];
    struct config *config;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_true(length >= 0 && (size_t)length < sizeof text);
    for (int i = 0; i < length; i++)
        if (text[i] == '\'')
            text[i] = '"';
    config = config_parse(path, text, (size_t)length, &settings);
    assert_non_null(config);
    assert_int_equal(config->length, length);
    assert_memory_equal(config->text, text, (size_t)length + 1);
    return config;
}

#define parse(...) parse_as(PATH, __VA_ARGS__)

static void
check_target(const struct target *target, const char *host, int port)
{
    assert_true(target->set);
    assert_string_equal(target->host, host);
    assert_int_equal(target->port, port);
}

static void
check_file(const struct operator_file *file, const char *path, int line)
{
    assert_int_equal(file->fd, -1);
    assert_int_equal(file->line, line);
    assert_string_equal(file->path, path);
}

/* Would catch a TLS port that lets its clients be sent out of TLS. */
static void
redirects_depend_on_tls(void **state)
{
    static const struct {
        const char *keys;
        enum redirects redirects;
        const char *rule;
    } rows[] = {
        {PORT_TLS, REDIRECTS_REFUSE, "TLS 1.2 to 1.3, relayed to its backend"},
        {PORT_TLS ", 'redirects': 'pass'", REDIRECTS_PASS,
         "TLS 1.2 to 1.3, redirects out of TLS passed on, relayed to its "
         "backend"},
        {PORT_TLS ", 'redirects': 'rewrite'", REDIRECTS_REWRITE,
         "TLS 1.2 to 1.3, redirects to the backend rewritten, relayed to its "
         "backend"},
        {PORT ", 'plain': true", REDIRECTS_PASS,
         "no TLS, relayed to its backend"},
        {PORT ", 'plain': true, 'redirects': 'refuse'", REDIRECTS_REFUSE,
         "no TLS, redirects out of TLS refused, relayed to its backend"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config *config = parse("{'ports': [%s}]}", rows[i].keys);

        assert_int_equal(config->fronts[0].redirects, rows[i].redirects);
        assert_string_equal(config->fronts[0].policy.rule, rows[i].rule);
        config_free(config);
    }
}

static void
what_is_left_out_has_its_default(void **state)
{
    struct config *config = parse("{'ports': [" PORT_TLS "}]}");
    const struct front *front = &config->fronts[0];
    const struct port_policy *policy = &front->policy;

    (void)state;
    assert_string_equal(config->path, PATH);
    assert_int_equal(config->resolve_seconds, 30);
    assert_int_equal(config->http_count, 0);
    assert_int_equal(config->limits.connections, 0);
    assert_int_equal(config->limits.per_client, 0);
    assert_int_equal(config->limits.handshakes, 0);
    assert_int_equal(config->front_count, 1);

    assert_int_equal(policy->group, GROUP_CONFIGURED);
    assert_null(policy->certificate);
    assert_null(policy->client_ca);
    assert_int_equal(policy->tls_min, PORT_TLS_1_2);
    assert_int_equal(policy->tls_max, PORT_TLS_1_3);
    assert_false(policy->sni_required || policy->alpn_required);
    assert_false(policy->target != NULL || policy->forward);
    assert_true(policy->tickets);
    assert_int_equal(policy->expect, EXPECT_ACCEPT);
    assert_ptr_equal(policy->front, front);

    assert_null(front->ciphers);
    assert_null(front->ciphersuites);
    assert_null(front->groups);
    assert_null(front->client_ca.path);
    assert_int_equal(front->client_certificate, CLIENT_CERTIFICATE_NONE);
    assert_int_equal(front->alpn, ALPN_SELECT);
    assert_int_equal(front->sni, SNI_ANY);
    assert_false(front->simulator || front->send_proxy);
    assert_int_equal(front->target_count, 1);
    assert_int_equal(front->accept_proxy.count, 0);
    assert_int_equal(front->limits.connections, 0);
    assert_memory_equal(&front->timers, &settings.timers,
                        sizeof settings.timers);
    config_free(config);
}

/* Would catch ports that miss defaults which stand behind them in the file. */
static void
timers_are_inherited(void **state)
{
    struct config *config = parse(
        "{'ports': [" PORT_TLS ", 'timers': {'idle': 0.5,"
        " 'handshake': 31622400}}, " PORT_NAMED(
            "b", "50002") ", 'plain': true, 'timers': {'connect': 70, "
                          "'first_byte': 71,"
                          " 'stall': 72, 'half_closed': 73, 'keepalive': 0}}],"
                          " 'timers': {'idle': 90, 'connect': 91}}");
    const struct timers want[] = {
        {31622400, 91, 3, 0.5, 5, 6, 7, 8, 9, 10},
        {1, 70, 71, 90, 72, 73, 0, 8, 9, 10},
    };

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_memory_equal(&config->fronts[i].timers, &want[i],
                            sizeof want[i]);
    config_free(config);
}

static void
numbers_reach_to_their_ends(void **state)
{
    struct config *config =
        parse("{'resolve_every': 86400, 'limits': {'connections': 1000000,"
              " 'connections_per_client': 0}, 'ports': [" PORT_TLS
              ", 'limits': {'connections': 1, 'connections_per_client': 2,"
              " 'handshakes': 3}}]}");

    (void)state;
    assert_int_equal(config->resolve_seconds, 86400);
    assert_int_equal(config->limits.connections, 1000000);
    assert_int_equal(config->limits.per_client, 0);
    assert_int_equal(config->fronts[0].limits.connections, 1);
    assert_int_equal(config->fronts[0].limits.per_client, 2);
    assert_int_equal(config->fronts[0].limits.handshakes, 3);
    config_free(config);
    config = parse("{'resolve_every': 1, 'ports': [" PORT_TLS "}]}");
    assert_int_equal(config->resolve_seconds, 1);
    config_free(config);
}

/* The keys that say what is asked of a client, and all of it in words. */
static void
rules_follow_their_keys(void **state)
{
    static const struct {
        const char *keys;
        int min, max, client_certificate, alpn, sni;
        const char *rule;
    } rows[] = {
        {"'alpn': 'select', 'sni': 'any', 'tls': {}, "
         "'client_certificate': 'none', 'plain': false",
         PORT_TLS_1_2, PORT_TLS_1_3, CLIENT_CERTIFICATE_NONE, ALPN_SELECT,
         SNI_ANY, "TLS 1.2 to 1.3, relayed to its backend"},
        {"'tls': {'min': '1.3'}, 'sni': 'known'", PORT_TLS_1_3, PORT_TLS_1_3,
         CLIENT_CERTIFICATE_NONE, ALPN_SELECT, SNI_KNOWN,
         "TLS 1.3, server name (SNI) of a certificate if there is one, relayed "
         "to its backend"},
        {"'tls': {'max': '1.2'}, 'alpn': 'ignore'", PORT_TLS_1_2, PORT_TLS_1_2,
         CLIENT_CERTIFICATE_NONE, ALPN_IGNORE, SNI_ANY,
         "TLS 1.2, ALPN ignored, relayed to its backend"},
        {"'client_ca': 'c.pem', 'client_certificate': 'optional'", PORT_TLS_1_2,
         PORT_TLS_1_3, CLIENT_CERTIFICATE_OPTIONAL, ALPN_SELECT, SNI_ANY,
         "TLS 1.2 to 1.3, client certificate asked for, relayed to its "
         "backend"},
        {"'client_ca': 'c.pem', 'client_certificate': 'required', "
         "'alpn': 'require', 'sni': 'require', 'send_proxy': true, "
         "'accept_proxy': ['::1']",
         PORT_TLS_1_2, PORT_TLS_1_3, CLIENT_CERTIFICATE_REQUIRED, ALPN_REQUIRE,
         SNI_REQUIRE,
         "TLS 1.2 to 1.3, client certificate required, server name (SNI) "
         "required, one of a certificate, closed after the handshake unless "
         "ALPN mapi/9, PROXY header required of load balancers, relayed to its "
         "backend"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config *config =
            parse("{'ports': [" PORT_TLS ", %s}]}", rows[i].keys);
        const struct front *front = &config->fronts[0];

        print_message("%s\n", rows[i].keys);
        assert_int_equal(front->policy.tls_min, rows[i].min);
        assert_int_equal(front->policy.tls_max, rows[i].max);
        assert_int_equal(front->client_certificate, rows[i].client_certificate);
        assert_int_equal(front->alpn, rows[i].alpn);
        assert_int_equal(front->sni, rows[i].sni);
        assert_int_equal(front->policy.alpn_required,
                         rows[i].alpn == ALPN_REQUIRE);
        assert_int_equal(front->policy.sni_required,
                         rows[i].sni == SNI_REQUIRE);
        assert_string_equal(front->policy.rule, rows[i].rule);
        assert_int_equal(front->send_proxy, i == 4);
        config_free(config);
    }
}

static void
plain_is_without_tls(void **state)
{
    struct config *config =
        parse("{'ports': [{'name': 'n', 'listen': ['localhost:0'],"
              " 'plain': true, 'backend': 'simulator'}]}");
    const struct front *front = &config->fronts[0];

    (void)state;
    assert_false(port_has_tls(&front->policy));
    assert_int_equal(front->policy.tls_max, 0);
    assert_false(front->policy.tickets);
    assert_int_equal(front->certificate_count, 0);
    assert_true(front->simulator);
    assert_int_equal(front->target_count, 0);
    check_target(&front->listen[0], "localhost", 0);
    assert_string_equal(front->policy.rule, "no TLS, relayed to the simulator");
    config_free(config);
}

/* Would catch ports that are told apart by less, or more, than they are bound
 * to. */
static void
addresses_may_share_a_number(void **state)
{
    struct config *config =
        parse("{'http': ['127.0.0.1:50001', '127.0.0.1:0'], 'ports': ["
              "{'name': 'a', 'listen': ['0.0.0.0:50001', '[::]:50001',"
              " '[::1]:50001', '[::1]:0', '[::1]:0', 'localhost:50001',"
              " '127.0.0.1:0'], 'backend': ['db:50001', 'db:50001'],"
              " 'plain': true}]}");

    (void)state;
    assert_int_equal(config->fronts[0].listen_count, 7);
    config_free(config);
}

/* Writes a list of count elements; in one, %d is its number. */
static char *
repeat(char *out, size_t room, int count, const char *one)
{
    size_t used = 0;

    for (int i = 0; i < count; i++) {
        used +=
            (size_t)snprintf(out + used, room - used, "%s", i > 0 ? ", " : "");
        for (const char *at = one; *at != '\0' && used < room; at++)
            if (*at == '#')
                used += (size_t)snprintf(out + used, room - used, "%d", i);
            else
                used += (size_t)snprintf(out + used, room - used, "%c", *at);
    }
    assert_true(used < room);
    return out;
}

/* One more of each: tests/configs/bad. */
static void
lists_may_be_full(void **state)
{
    char listen[256], http[256], certificates[1024], targets[256];
    char networks[1024], ports[32 * 1024];
    struct config *config;

    (void)state;
    config = parse(
        "{'http': [%s], 'ports': [{'name': 'n', 'listen': [%s],"
        " 'certificates': [%s], 'backend': [%s], 'accept_proxy': [%s]}, %s]}",
        repeat(http, sizeof http, 8, "'[::1]:500#'"),
        repeat(listen, sizeof listen, 8, "'[::1]:501#'"),
        repeat(certificates, sizeof certificates, 16,
               "{'chain': 'c#', 'key': 'k#'}"),
        repeat(targets, sizeof targets, 8, "'db#:50000'"),
        repeat(networks, sizeof networks, 32, "'10.#.0.0/16'"),
        repeat(ports, sizeof ports, 127,
               "{'name': 'n#', 'listen': ['[::1]:1#'], 'plain': true,"
               " 'backend': 'simulator'}"));
    assert_int_equal(config->http_count, 8);
    assert_int_equal(config->front_count, 128);
    assert_string_equal(config->fronts[127].policy.name, "n126");
    check_target(&config->fronts[127].listen[0], "::1", 1126);
    assert_int_equal(config->fronts[0].listen_count, 8);
    assert_int_equal(config->fronts[0].certificate_count, 16);
    check_file(&config->fronts[0].certificates[15].chain, "/etc/mapitest/c15",
               1);
    check_file(&config->fronts[0].certificates[15].key, "/etc/mapitest/k15", 1);
    assert_int_equal(config->fronts[0].target_count, 8);
    check_target(&config->fronts[0].targets[7], "db7", 50000);
    assert_int_equal(config->fronts[0].accept_proxy.count, 32);
    config_free(config);
}

/* Would catch files that are looked for where the program happens to be. */
static void
paths_begin_in_the_files_folder(void **state)
{
    static const struct {
        const char *config, *file, *want; /* the last two: behind getcwd() */
        bool here;
    } rows[] = {
        {"/etc/m/m.json", "a.pem", "/etc/m/a.pem", false},
        {"/etc/m/m.json", "../a/a.pem", "/etc/m/../a/a.pem", false},
        {"/etc/m/m.json", "/a.pem", "/a.pem", false},
        {"/m.json", "a.pem", "/a.pem", false},
        {"m.json", "a.pem", "/a.pem", true},
        {"./m.json", "a.pem", "/./a.pem", true},
        {"b/c/m.json", "a.pem", "/b/c/a.pem", true},
        {"b/m.json", "/a.pem", "/a.pem", false},
        {"/\xff\xfe/m.json", "a.pem", "/\xff\xfe/a.pem", false},
    };
    char want[4096];
    char *here = getcwd(NULL, 0);

    (void)state;
    assert_non_null(here);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config *config =
            parse_as(rows[i].config,
                     "{'ports': [" PORT ", 'certificates': [{'chain': "
                     "'%s'}]}]}",
                     rows[i].file);
        const struct front *front = &config->fronts[0];

        snprintf(want, sizeof want, "%s%s", rows[i].here ? here : "",
                 rows[i].want);
        check_file(&front->certificates[0].chain, want, 1);
        check_file(&front->certificates[0].key, want, 1);
        config_free(config);
    }
    free(here);
}

/* Would catch lines that strings, comments or brackets within them shift. */
static void
lines_are_those_of_the_file(void **state)
{
    struct config *config =
        parse("// ' a quote, [ { and \\\r\n"
              "\r\n{ // '\n"
              "'http': ['[::1]:1'], // , 'ports': [\n"
              "'ports'\n:\n[ {'name': 'x', 'listen': ['localhost:1'],\n"
              "'tls': {'ciphers': '\\\\', 'groups': '],}\\'{[//',\n"
              "'ciphersuites': 'https://example.com/\\u0022'},\n"
              "'certificates': [ // one\n"
              "{'chain': '/1',\n\n'key': '/2'}, {'key': '/3' // \xc3\xa9\n"
              ",\n'\\u0063hain'\n:\n'/4'}],\n"
              "'backend': 'simulator'}\n,\n\n" PORT ", 'plain': true}"
              "]}\n\t// the end");
    const struct front *front = &config->fronts[0];

    (void)state;
    assert_int_equal(front->line, 7);
    assert_string_equal(front->ciphers, "\\");
    assert_string_equal(front->groups, "],}\"{[//");
    assert_string_equal(front->ciphersuites, "https://example.com/\"");
    check_file(&front->certificates[0].chain, "/1", 11);
    check_file(&front->certificates[0].key, "/2", 13);
    check_file(&front->certificates[1].key, "/3", 13);
    check_file(&front->certificates[1].chain, "/4", 15);
    assert_int_equal(config->fronts[1].line, 21);
    config_free(config);
}

/* Would catch a descriptor that every reload leaves open. */
static void
files_are_closed(void **state)
{
    struct config *config = parse("{'ports': [" PORT_TLS "}, " PORT_NAMED(
        "b",
        "2") ", 'certificates': [{'chain': 'b'}, {'chain': 'c', 'key': 'd'}],"
             " 'client_certificate': 'optional', 'client_ca': 'e'}]}");
    struct front *front = &config->fronts[1];
    int *fds[] = {&config->fronts[0].certificates[0].chain.fd,
                  &front->certificates[1].chain.fd,
                  &front->certificates[1].key.fd, &front->client_ca.fd};
    int open[COUNT(fds)];

    (void)state;
    for (size_t i = 0; i < COUNT(fds); i++)
        *fds[i] = open[i] = dup(STDERR_FILENO);
    config_free(config);
    for (size_t i = 0; i < COUNT(fds); i++)
        assert_int_equal(fcntl(open[i], F_GETFD), -1);
    config_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redirects_depend_on_tls),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(timers_are_inherited),
        cmocka_unit_test(numbers_reach_to_their_ends),
        cmocka_unit_test(rules_follow_their_keys),
        cmocka_unit_test(plain_is_without_tls),
        cmocka_unit_test(addresses_may_share_a_number),
        cmocka_unit_test(lists_may_be_full),
        cmocka_unit_test(paths_begin_in_the_files_folder),
        cmocka_unit_test(lines_are_those_of_the_file),
        cmocka_unit_test(files_are_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
