/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/journal.h"
#include "proxy/outcome.h"

static struct event
an_event(void)
{
    struct event e = {
        .tls = true,
        .first = FIRST_TLS,
        .alert_received = EVENT_NO_ALERT,
        .alert_sent = EVENT_NO_ALERT,
        .handshake_seconds = -1,
        .backend_seconds = -1,
        .reason = "",
        .backend = "",
    };

    net_numeric("127.0.0.1", 50123, &e.client);
    return e;
}

static void
first_bytes_are_told_apart(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        enum first_bytes want;
    } cases[] = {
        {"", 0, FIRST_NONE},
        {"\x16", 1, FIRST_NONE},
        {"\x16\x03", 2, FIRST_TLS},
        {"\x16\x03\x01", 3, FIRST_TLS},
        {"\x16\x02\x01", 3, FIRST_OTHER},
        {"\x15\x03\x01", 3, FIRST_OTHER},
        {"\0\0\0\0\0\0\0\0", 8, FIRST_MAPI},
        {"\x1b\x00hello", 7, FIRST_MAPI},
        {"\x17\x03hello", 7, FIRST_MAPI},
        {"\xff\xff\xff", 3, FIRST_OTHER},
        {"GET / HT", 8, FIRST_HTTP},
        {"OPTIONS ", 8, FIRST_HTTP},
        {"GETTING", 7, FIRST_OTHER},
        {"SSH-2.0-", 8, FIRST_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (event_classify_first((const uint8_t *)cases[i].bytes,
                                 cases[i].length)
            != cases[i].want)
            fail_msg("case %zu", i);
}

static void
every_length_of_block_is_mapi(void **state)
{
    (void)state;
    for (unsigned length = 1; length <= 8190; length++) {
        uint8_t bytes[3] = {(uint8_t)(length << 1 | 1), (uint8_t)(length >> 7),
                            'm'};

        assert_int_equal(event_classify_first(bytes, 3), FIRST_MAPI);
    }
}

/* Codes without a name are shown by number; nothing reads past the table. */
static void
alert_names(void **state)
{
    (void)state;
    assert_string_equal(outcome_alert_name(48),
                        "unknown-certificate-authority");
    assert_string_equal(outcome_alert_name(116), "certificate-required");
    assert_null(outcome_alert_name(41));
    assert_null(outcome_alert_name(117));
    assert_null(outcome_alert_name(122));
    assert_null(outcome_alert_name(255));
    assert_null(outcome_alert_name(-1));
}

static void
expect(const struct event *e, const char *want)
{
    char text[512];

    assert_string_equal(outcome_sentence(e, text, sizeof text), want);
}

static void
sentences(void **state)
{
    struct event e = an_event();

    (void)state;
    e.end = END_EOF;
    e.first = FIRST_NONE;
    expect(&e, "probe: came and went without a byte");
    assert_int_equal(outcome_level(&e), LOG_DEBUG);

    e.first = FIRST_TLS;
    expect(&e, "the client closed the connection during the handshake");
    assert_int_equal(outcome_level(&e), LOG_INFO);
    e.end = END_RESET;
    expect(&e, "the client reset the connection during the handshake");
    e.handshake = true;
    e.error = ETIMEDOUT;
    expect(&e, "the client's host does not answer any more");
    e.handshake = false;
    e.error = 0;

    e.end = END_EOF;
    e.alert_received = 48;
    expect(&e, "the client refused with alert 48 "
               "(unknown-certificate-authority)");
    e.handshake = true;
    expect(&e, "the client refused with alert 48 "
               "(unknown-certificate-authority) after the handshake");
    e.alert_received = 41;
    expect(&e, "the client refused with alert 41 after the handshake");

    e = an_event();
    e.end = END_REFUSED;
    e.alert_sent = 116;
    e.reason = "peer did not return a certificate";
    expect(&e, "refused with alert 116 (certificate-required): "
               "peer did not return a certificate");
    e = an_event();
    e.end = END_REFUSED;
    e.first = FIRST_MAPI;
    expect(&e, "refused: the client sent plain MAPI, but this port wants TLS "
               "(monetdbs://)");

    e = an_event();
    e.handshake = true;
    e.end = END_CLOSE_NOTIFY;
    expect(&e, "the client left after the handshake without sending a byte");
    e.bytes_up = 1;
    expect(&e, "completed");
    e.end = END_EOF;
    expect(&e, "completed, but the client closed without close_notify");
    e.end = END_TIMEOUT;
    e.phase = PHASE_STALL;
    expect(&e, "timed out: the client does not read");
    e.end = END_BACKEND;
    e.backend = "127.0.0.1:50000";
    e.reason = "Connection refused";
    expect(&e, "backend 127.0.0.1:50000: Connection refused");
    assert_int_equal(outcome_level(&e), LOG_INFO);
    e.bytes_down = 1;
    assert_int_equal(outcome_level(&e), LOG_WARNING);

    e = an_event();
    e.tls = false;
    e.end = END_EOF;
    expect(&e, "the client speaks TLS, but this port is plain MAPI");
}

/* A server name with a newline in it must not become a line of its own. */
static void
lines_escape_peers(void **state)
{
    struct event e = an_event();
    char line[4096];
    char want[4096];

    (void)state;
    e.handshake = true;
    e.tls_version = 0x0304;
    strcpy(e.cipher, "TLS_AES_256_GCM_SHA384");
    event_bytes_set(&e.sni, "a\nb\"\x1b", 5);
    e.bytes_up = 3;
    e.bytes_down = 4;
    e.total_seconds = 0.5F;
    assert_string_equal(
        journal_line(&e, "server1", line, sizeof line),
        "server1 127.0.0.1:50123 TLSv1.3 TLS_AES_256_GCM_SHA384 "
        "sni=\"a\\x0ab\\\"\\x1b\": completed (3 bytes up, 4 down, "
        "0.500 s)");

    /* The longest of everything still fits, or is cut without a crash. */
    memset(want, 0xff, sizeof want);
    event_bytes_set(&e.sni, want, 300);
    event_bytes_set(&e.alpn_selected, want, 300);
    event_bytes_set(&e.client_subject, want, 300);
    e.client_certificate = true;
    assert_int_equal(e.sni.length, 255);
    journal_line(&e, "server1", line, sizeof line);
    assert_non_null(strstr(line, "completed"));
    e.reason = e.backend = NULL;
    event_clear(&e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_bytes_are_told_apart),
        cmocka_unit_test(every_length_of_block_is_mapi),
        cmocka_unit_test(alert_names),
        cmocka_unit_test(sentences),
        cmocka_unit_test(lines_escape_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
