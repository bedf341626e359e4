/*
 * test_config_example.c - the configuration file that is given as an example
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
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct settings settings = {
    .timers = {.first_byte = 3, .idle = 4, .stall = 5},
};

static void
check_target(const struct target *target, const char *host, int port)
{
    assert_true(target->set);
    assert_string_equal(target->host, host);
    assert_int_equal(target->port, port);
}

static void
check_example_tls(const struct front *sales)
{
    check_target(&sales->listen[0], "0.0.0.0", 50001);
    check_target(&sales->listen[1], "::", 50001);
    assert_int_equal(sales->listen_count, 2);
    assert_int_equal(sales->certificate_count, 2);
    assert_int_equal(sales->policy.tls_min, PORT_TLS_1_2);
    assert_int_equal(sales->policy.tls_max, PORT_TLS_1_3);
    assert_string_equal(sales->ciphers, "ECDHE+AESGCM:ECDHE+CHACHA20");
    assert_string_equal(sales->ciphersuites,
                        "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256");
    assert_string_equal(sales->groups, "X25519:P-256");
    assert_int_equal(sales->target_count, 2);
    check_target(&sales->targets[0], "db1.example.com", 50000);
    check_target(&sales->targets[1], "db2.example.com", 50000);
    assert_false(sales->simulator || sales->send_proxy);
    assert_int_equal(sales->redirects, REDIRECTS_REFUSE);
    assert_int_equal(sales->timers.idle, 0);
    assert_int_equal(sales->timers.first_byte, 30);
}

/* Would catch an example that the program does not take, or takes for another
 * than its comments say. */
static void
the_example_means_what_it_says(void **state)
{
    struct config *config =
        config_read(MAPITEST_SOURCE_DIR "/deploy/mapitest.json", &settings);
    const struct front *fronts;

    (void)state;
    assert_non_null(config);
    fronts = config->fronts;
    assert_int_equal(config->front_count, 3);
    assert_int_equal(config->limits.connections, 10000);
    assert_int_equal(config->limits.per_client, 200);
    assert_int_equal(config->limits.handshakes, 1000);
    assert_int_equal(config->resolve_seconds, 30);
    assert_int_equal(config->http_count, 1);
    check_target(&config->http[0], "127.0.0.1", 50080);

    assert_string_equal(fronts[0].policy.name, "sales");
    check_example_tls(&fronts[0]);
    assert_string_equal(fronts[0].certificates[0].chain.path,
                        MAPITEST_SOURCE_DIR "/deploy/sales.pem");
    assert_string_equal(fronts[1].policy.name, "reports");
    assert_int_equal(fronts[1].client_certificate, CLIENT_CERTIFICATE_REQUIRED);
    assert_string_equal(fronts[1].client_ca.path,
                        MAPITEST_SOURCE_DIR "/deploy/clients.pem");
    check_target(&fronts[1].targets[0], "/run/monetdb/.s.monetdb.50000", 0);
    assert_int_equal(fronts[1].timers.idle, 3600);
    assert_int_equal(fronts[1].timers.stall, 60);
    assert_int_equal(fronts[1].limits.connections, 100);
    assert_int_equal(fronts[1].limits.per_client, 0);
    assert_string_equal(fronts[2].policy.name, "balanced");
    assert_int_equal(fronts[2].certificate_count, 0);
    assert_int_equal(fronts[2].accept_proxy.count, 2);
    config_free(config);
}

/* All of a file, NUL-terminated, in at most room bytes. */
static void
read_file(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    out[fread(out, 1, room - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

/* Would catch a key that an operator can only find in the source.  Its rows are
 * the lines that begin with {"KEY", NAME_OF_A_FUNCTION, */
static void
the_example_shows_every_key(void **state)
{
    static const char *const sources[] = {"config.c", "config_port.c",
                                          "config_reader.c"};
    static char example[16 * 1024], source[32 * 1024];
    char path[256], key[40], quoted[48];
    int keys = 0;

    (void)state;
    read_file(MAPITEST_SOURCE_DIR "/deploy/mapitest.json", example,
              sizeof example);
    for (size_t i = 0; i < COUNT(sources); i++) {
        snprintf(path, sizeof path, MAPITEST_SOURCE_DIR "/proxy/%s",
                 sources[i]);
        read_file(path, source, sizeof source);
        for (const char *at = source; (at = strstr(at, "\n        {\""));) {
            at += strlen("\n        {\"");
            if (sscanf(at, "%39[a-z_]\", %*[a-z_],", key) != 1)
                continue;
            snprintf(quoted, sizeof quoted, "\"%s\":", key);
            if (strstr(example, quoted) == NULL)
                fail_msg("deploy/mapitest.json lacks %s", quoted);
            keys++;
        }
    }
    assert_true(keys > 30);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_means_what_it_says),
        cmocka_unit_test(the_example_shows_every_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
