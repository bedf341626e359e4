/*
 * test_outcome_table.c - every row of outcomes.md, "Outcome", and its notes
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/outcome.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "observed.h"

static const struct port_policy wrong_name = {
    .name = "wronghost",
    .certificate = "wronghost",
    .tls_min = PORT_TLS_1_3,
    .tls_max = PORT_TLS_1_3,
    .wrong_name = true,
    .expect = EXPECT_REFUSE,
};

static const struct {
    struct observed in;
    enum outcome_origin origin;
    enum outcome_result result;
    const char *code;
} cases[] = {
    /* The table, in its order. */
    {TLS(.received = 45, .end = END_EOF), ORIGIN_CLIENT_ALERT,
     RESULT_CERTIFICATE_EXPIRED, "tls-remote-alert-45-expired-certificate"},
    {TLS(.received = 48, .end = END_EOF), ORIGIN_CLIENT_ALERT,
     RESULT_CERTIFICATE_NOT_TRUSTED,
     "tls-remote-alert-48-unknown-certificate-authority"},
    {TLS(.received = 42, .end = END_EOF), ORIGIN_CLIENT_ALERT,
     RESULT_VALIDATION_FAILURE, "tls-remote-alert-42-bad-certificate"},
    {SHAKEN(.received = 46, .end = END_EOF), ORIGIN_CLIENT_ALERT,
     RESULT_VALIDATION_FAILURE, "tls-remote-alert-46-unknown-certificate"},
    {TLS(.sent = 70, .end = END_REFUSED), ORIGIN_SERVER_ALERT,
     RESULT_VALIDATION_FAILURE,
     "tls-local-alert-70-protocol-version-not-supported"},
    {TLS_AS(FIRST_MAPI, .end = END_REFUSED), ORIGIN_NOT_TLS,
     RESULT_VALIDATION_FAILURE, "tls-record-header-error"},
    {TLS(.end = END_TIMEOUT), ORIGIN_TIMEOUT, RESULT_VALIDATION_FAILURE,
     "io-timeout-during-handshake"},
    {TLS(.end = END_EOF), ORIGIN_CLIENT_HANGUP, RESULT_VALIDATION_FAILURE,
     "connection-closed-during-handshake"},
    {TLS(.end = END_RESET), ORIGIN_CLIENT_HANGUP, RESULT_VALIDATION_FAILURE,
     "connection-closed-during-handshake"},
    {SHAKEN(.end = END_CLOSE_NOTIFY, CHALLENGED), ORIGIN_CLIENT_HANGUP,
     RESULT_SUCCESS, ""},
    {SHAKEN(.end = END_CLOSE_NOTIFY, COMPLETED), ORIGIN_ORDERLY, RESULT_SUCCESS,
     ""},

    /* The order: what was said outweighs how it ended. */
    {SHAKEN(.received = 45, .sent = 10, .end = END_REFUSED, COMPLETED),
     ORIGIN_CLIENT_ALERT, RESULT_CERTIFICATE_EXPIRED,
     "tls-remote-alert-45-expired-certificate"},
    {SHAKEN(.sent = 10, .end = END_BACKEND), ORIGIN_SERVER_ALERT,
     RESULT_VALIDATION_FAILURE, "tls-local-alert-10-unexpected-message"},
    {TLS_AS(FIRST_HTTP, .end = END_EOF), ORIGIN_NOT_TLS,
     RESULT_VALIDATION_FAILURE, "tls-record-header-error"},
    {TLS_AS(FIRST_OTHER, .end = END_TIMEOUT), ORIGIN_NOT_TLS,
     RESULT_VALIDATION_FAILURE, "tls-record-header-error"},

    /* 44 has no type of its own; 41 has no name; a late alert is a failure. */
    {TLS(.received = 44, .end = END_EOF), ORIGIN_CLIENT_ALERT,
     RESULT_VALIDATION_FAILURE, "tls-remote-alert-44-revoked-certificate"},
    {TLS(.received = 41, .end = END_EOF), ORIGIN_CLIENT_ALERT,
     RESULT_VALIDATION_FAILURE, "tls-remote-alert-41"},
    {TLS(.sent = 255, .end = END_REFUSED), ORIGIN_SERVER_ALERT,
     RESULT_VALIDATION_FAILURE, "tls-local-alert-255"},
    {SHAKEN(.received = 48, .end = END_EOF, COMPLETED), ORIGIN_CLIENT_ALERT,
     RESULT_CERTIFICATE_NOT_TRUSTED,
     "tls-remote-alert-48-unknown-certificate-authority"},

    /* A silent client, and one whose host is gone. */
    {TLS_AS(FIRST_NONE, .end = END_TIMEOUT), ORIGIN_TIMEOUT,
     RESULT_VALIDATION_FAILURE, "io-timeout-during-handshake"},
    {TLS(.end = END_RESET, .error = ETIMEDOUT), ORIGIN_TIMEOUT,
     RESULT_VALIDATION_FAILURE, "io-timeout-during-handshake"},
    {SHAKEN(.end = END_RESET, .error = ETIMEDOUT, .up = 1), ORIGIN_TIMEOUT,
     RESULT_SUCCESS, ""},

    /* After an unharmed handshake. */
    {SHAKEN(.end = END_EOF), ORIGIN_CLIENT_HANGUP, RESULT_SUCCESS, ""},
    {SHAKEN(.end = END_RESET), ORIGIN_CLIENT_HANGUP, RESULT_SUCCESS, ""},
    {SHAKEN(.end = END_EOF, RESPONDED), ORIGIN_CLIENT_HANGUP, RESULT_SUCCESS,
     ""},
    {SHAKEN(.end = END_TIMEOUT, .phase = PHASE_FIRST_BYTE), ORIGIN_TIMEOUT,
     RESULT_SUCCESS, ""},
    {SHAKEN(.end = END_TIMEOUT, .phase = PHASE_RELAY, .up = 1), ORIGIN_TIMEOUT,
     RESULT_SUCCESS, ""},
    {SHAKEN(.end = END_TIMEOUT, .phase = PHASE_STALL, .up = 1), ORIGIN_TIMEOUT,
     RESULT_SUCCESS, ""},
    {SHAKEN(.end = END_TIMEOUT, .phase = PHASE_HALF_CLOSED, .up = 1),
     ORIGIN_TIMEOUT, RESULT_SUCCESS, ""},
    {SHAKEN(.end = END_BACKEND, .error = ECONNREFUSED), ORIGIN_BACKEND,
     RESULT_SUCCESS, ""},
    {SHAKEN(.end = END_REFUSED), ORIGIN_POLICY, RESULT_VALIDATION_FAILURE,
     "connection-closed-by-policy"},

    /* We stop, or the load balancer does not do its part. */
    {TLS(.end = END_TIMEOUT, .phase = PHASE_DRAIN), ORIGIN_POLICY,
     RESULT_VALIDATION_FAILURE, "connection-cut-by-server"},
    {SHAKEN(.end = END_TIMEOUT, .phase = PHASE_DRAIN, .up = 1), ORIGIN_POLICY,
     RESULT_SUCCESS, ""},
    {TLS_AS(FIRST_OTHER, .end = END_REFUSED, .phase = PHASE_ANNOUNCE),
     ORIGIN_POLICY, RESULT_VALIDATION_FAILURE, "proxy-header-error"},
    {TLS_AS(FIRST_NONE, .end = END_TIMEOUT, .phase = PHASE_ANNOUNCE),
     ORIGIN_TIMEOUT, RESULT_VALIDATION_FAILURE, "proxy-header-error"},

    /* Plain ports. */
    {PLAIN(.end = END_EOF, COMPLETED), ORIGIN_ORDERLY, RESULT_SUCCESS, ""},
    {PLAIN(.end = END_EOF, REACHED(MAPI_CHALLENGE, 8, 90)),
     ORIGIN_CLIENT_HANGUP, RESULT_SUCCESS, ""},
    {PLAIN_AS(FIRST_TLS, .end = END_EOF, REACHED(MAPI_CHALLENGE, 500, 90)),
     ORIGIN_CLIENT_HANGUP, RESULT_VALIDATION_FAILURE,
     "connection-closed-during-handshake"},
    {PLAIN_AS(FIRST_TLS, .end = END_TIMEOUT, .phase = PHASE_RELAY),
     ORIGIN_TIMEOUT, RESULT_VALIDATION_FAILURE, "io-timeout-during-handshake"},
    {PLAIN(.end = END_BACKEND), ORIGIN_BACKEND, RESULT_SUCCESS, ""},

    /* Behind it is no simulator: bytes both ways have to do. */
    {SHAKEN(.end = END_CLOSE_NOTIFY, .up = 1, .down = 1), ORIGIN_ORDERLY,
     RESULT_SUCCESS, ""},
    {SHAKEN(.end = END_RESET, .up = 1, .down = 1), ORIGIN_CLIENT_HANGUP,
     RESULT_SUCCESS, ""},
};

static void
rows_of_the_specification(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event e = observed_event(&cases[i].in);
        struct outcome got;

        outcome_classify(&e, NULL, &got);
        if (got.probe || got.inferred || got.origin != cases[i].origin
            || got.result != cases[i].result
            || strcmp(got.code, cases[i].code) != 0)
            fail_msg("case %zu: %s, result %d, '%s'", i,
                     outcome_origin_names[got.origin], (int)got.result,
                     got.code);
    }
}

/* "connection-closed-after-handshake": how curl and PHP refuse. */
static void
who_leaves_without_a_byte_is_flagged(void **state)
{
    static const struct {
        struct observed in;
        bool want;
    } clients[] = {
        {SHAKEN(.end = END_CLOSE_NOTIFY, CHALLENGED), true},
        {SHAKEN(.end = END_CLOSE_NOTIFY), true},
        {SHAKEN(.end = END_EOF), true},
        {SHAKEN(.end = END_RESET), true},
        {SHAKEN(.end = END_CLOSE_NOTIFY, COMPLETED), false},
        {SHAKEN(.end = END_EOF, .up = 1), false},
        {SHAKEN(.end = END_EOF, .received = 48), false},
        {SHAKEN(.end = END_TIMEOUT, .phase = PHASE_FIRST_BYTE), false},
        {SHAKEN(.end = END_BACKEND), false},
        {TLS(.end = END_EOF), false},
        {PLAIN(.end = END_EOF), false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        struct event e = observed_event(&clients[i].in);
        struct outcome got;

        outcome_classify(&e, NULL, &got);
        if (got.silent != clients[i].want)
            fail_msg("case %zu", i);
    }
}

/* Somebody who looks whether a port is open, and is counted as a failure. */
static void
probes_are_no_sessions(void **state)
{
    static const struct observed probes[] = {
        TLS_AS(FIRST_NONE, .end = END_EOF),
        TLS_AS(FIRST_NONE, .end = END_RESET),
        PLAIN_AS(FIRST_NONE, .end = END_EOF, CHALLENGED),
    };

    (void)state;
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        struct event e = observed_event(&probes[i]);
        struct outcome got;

        outcome_classify(&e, NULL, &got);
        assert_true(got.probe);
        assert_string_equal(got.code, "");
    }
}

/* A wrong host read off an alert that says nothing of the kind, or on a port
 * with another defect. */
static void
names_are_inferred_where_nothing_else_is_wrong(void **state)
{
    static const int seen[] = {40, 42, 46, 80};

    (void)state;
    for (int alert = 0; alert < 256; alert++) {
        struct observed o = TLS(.end = END_EOF);
        struct event e = observed_event(&o);
        bool want = false;
        struct outcome got;

        for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
            want = want || seen[i] == alert;
        e.alert_received = (int16_t)alert;
        outcome_classify(&e, &wrong_name, &got);
        assert_int_equal(got.inferred, want);
        assert_int_equal(got.result == RESULT_CERTIFICATE_HOST_MISMATCH, want);
        assert_int_equal(got.result == RESULT_CERTIFICATE_EXPIRED, alert == 45);
        assert_int_equal(got.result == RESULT_CERTIFICATE_NOT_TRUSTED,
                         alert == 48);
        outcome_classify(&e, port_find("expiredcert"), &got);
        assert_false(got.inferred);
        assert_int_not_equal(got.result, RESULT_CERTIFICATE_HOST_MISMATCH);
    }
}

/* All names of outcomes.md, and no other. */
static void
alerts_have_their_names(void **state)
{
    static const struct {
        int alert;
        const char *name;
    } names[] = {
        {0, "close-notify"},
        {10, "unexpected-message"},
        {20, "bad-record-MAC"},
        {21, "decryption-failed"},
        {22, "record-overflow"},
        {30, "decompression-failure"},
        {40, "handshake-failure"},
        {42, "bad-certificate"},
        {43, "unsupported-certificate"},
        {44, "revoked-certificate"},
        {45, "expired-certificate"},
        {46, "unknown-certificate"},
        {47, "illegal-parameter"},
        {48, "unknown-certificate-authority"},
        {49, "access-denied"},
        {50, "error-decoding-message"},
        {51, "error-decrypting-message"},
        {60, "export-restriction"},
        {70, "protocol-version-not-supported"},
        {71, "insufficient-security-level"},
        {80, "internal-error"},
        {86, "inappropriate-fallback"},
        {90, "user-canceled"},
        {100, "no-renegotiation"},
        {109, "missing-extension"},
        {110, "unsupported-extension"},
        {111, "certificate-unobtainable"},
        {112, "unrecognized-name"},
        {113, "bad-certificate-status-response"},
        {114, "bad-certificate-hash-value"},
        {115, "unknown-PSK-identity"},
        {116, "certificate-required"},
        {120, "no-application-protocol"},
        {121, "encrypted-client-hello-required"},
    };
    size_t next = 0;

    (void)state;
    for (int alert = 0; alert < 256; alert++) {
        struct observed o = TLS(.end = END_REFUSED);
        struct event e = observed_event(&o);
        struct outcome got;
        char want[80];

        e.alert_sent = (int16_t)alert;
        outcome_classify(&e, NULL, &got);
        snprintf(want, sizeof want, "tls-local-alert-%d", alert);
        if (next < sizeof names / sizeof names[0]
            && names[next].alert == alert) {
            assert_string_equal(outcome_alert_name(alert), names[next].name);
            strcat(strcat(want, "-"), names[next++].name);
        } else {
            assert_null(outcome_alert_name(alert));
        }
        assert_string_equal(got.code, want);
    }
    assert_int_equal(next, sizeof names / sizeof names[0]);
}

static void
exchanges_without_a_simulator_are_told_by_bytes(void **state)
{
    static const struct {
        struct observed in;
        enum event_mapi want;
    } exchanges[] = {
        {SHAKEN(.end = END_EOF), MAPI_NONE},
        {SHAKEN(.end = END_EOF, .down = 1), MAPI_CHALLENGE},
        {SHAKEN(.end = END_EOF, .up = 1), MAPI_RESPONSE},
        {SHAKEN(.end = END_EOF, .up = 1, .down = 1), MAPI_COMPLETE},
        {SHAKEN(.end = END_CLOSE_NOTIFY, .up = 1, .down = 1), MAPI_COMPLETE},
        {SHAKEN(.end = END_RESET, .up = 1, .down = 1), MAPI_RESPONSE},
        {SHAKEN(.end = END_TIMEOUT, .up = 1, .down = 1), MAPI_RESPONSE},
        {SHAKEN(.end = END_BACKEND, .up = 1, .down = 1), MAPI_RESPONSE},
        /* What the simulator's port knows is not guessed. */
        {SHAKEN(.end = END_EOF, REACHED(MAPI_CHALLENGE, 1, 1)), MAPI_CHALLENGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++) {
        struct event e = observed_event(&exchanges[i].in);

        if (outcome_mapi(&e) != exchanges[i].want)
            fail_msg("case %zu", i);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_the_specification),
        cmocka_unit_test(who_leaves_without_a_byte_is_flagged),
        cmocka_unit_test(probes_are_no_sessions),
        cmocka_unit_test(names_are_inferred_where_nothing_else_is_wrong),
        cmocka_unit_test(alerts_have_their_names),
        cmocka_unit_test(exchanges_without_a_simulator_are_told_by_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
