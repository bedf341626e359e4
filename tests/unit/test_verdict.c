/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "observed.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* A TLS port of each kind. */
#define ROW(...)                                                               \
    {                                                                          \
        .name = "x", .certificate = "server1", .tls_min = PORT_TLS_1_3,        \
        .tls_max = PORT_TLS_1_3, .ca = "ca1.crt", .rule = "the rule",          \
        __VA_ARGS__                                                            \
    }

static const struct port_policy good =
    ROW(.expect = EXPECT_ACCEPT, .why = "all is well");
static const struct port_policy depends = ROW(.expect = EXPECT_TEST);
static const struct port_policy may =
    ROW(.expect = EXPECT_MAY, .why = "opinions differ");
static const struct port_policy defect =
    ROW(.expect = EXPECT_REFUSE, .why = "the leaf is bad");
static const struct port_policy wrong_name =
    ROW(.expect = EXPECT_REFUSE, .why = "the name is another",
        .wrong_name = true);
static const struct port_policy futile =
    ROW(.expect = EXPECT_REFUSE, .why = "the server hangs up",
        .helpless = true);
static const struct port_policy target =
    ROW(.expect = EXPECT_REFUSE, .why = "the redirect leaves TLS",
        .judge = JUDGE_TARGET);
static const struct port_policy loop =
    ROW(.expect = EXPECT_REFUSE, .why = "the port redirects to itself",
        .judge = JUDGE_COUNT);
static const struct port_policy unseen =
    ROW(.expect = EXPECT_REFUSE, .why = "the last message is cut off",
        .judge = JUDGE_UNSEEN);

/* Every way that a connection can go. */
static const struct {
    const char *name;
    struct observed in;
} ways[] = {
    {"probe", TLS_AS(FIRST_NONE, .end = END_EOF)},
    {"plain client", TLS_AS(FIRST_MAPI, .end = END_REFUSED)},
    {"TLS to plain",
     PLAIN_AS(FIRST_TLS, .end = END_EOF, REACHED(MAPI_CHALLENGE, 500, 90))},
    {"complete", SHAKEN(.end = END_CLOSE_NOTIFY, COMPLETED)},
    {"response", SHAKEN(.end = END_CLOSE_NOTIFY, RESPONDED)},
    {"data", SHAKEN(.end = END_EOF, REACHED(MAPI_CHALLENGE, 16, 90))},
    {"alert", TLS(.received = 42, .end = END_EOF)},
    {"late alert", SHAKEN(.received = 48, .end = END_EOF, CHALLENGED)},
    {"alert when done", SHAKEN(.received = 48, .end = END_EOF, COMPLETED)},
    {"our alert", TLS(.sent = 116, .end = END_REFUSED)},
    {"backend", SHAKEN(.end = END_BACKEND, CHALLENGED)},
    {"rule", SHAKEN(.end = END_REFUSED)},
    {"no handshake", TLS(.end = END_TIMEOUT)},
    {"no byte",
     SHAKEN(.end = END_TIMEOUT, .phase = PHASE_FIRST_BYTE, CHALLENGED)},
    {"hang-up", TLS(.end = END_EOF)},
    {"silent", SHAKEN(.end = END_CLOSE_NOTIFY, CHALLENGED)},
    {"left plain", PLAIN(.end = END_EOF, REACHED(MAPI_CHALLENGE, 8, 90))},
    {"drain", SHAKEN(.end = END_TIMEOUT, .phase = PHASE_DRAIN, CHALLENGED)},
    {"backend, late", SHAKEN(.end = END_BACKEND, RESPONDED)},
    {"PROXY header",
     TLS_AS(FIRST_OTHER, .end = END_REFUSED, .phase = PHASE_ANNOUNCE)},
};

/* A letter for each way: pass, fail, open. */
static const struct {
    const struct port_policy *row;
    const char *test;
    const char *want;
} matrix[] = {
    {&good, NULL, "offpffffpfoffffffooo"},
    {&good, "connect_x", "offpffffpfoffffffooo"},
    {&good, "refuse_x", "opppffffpfoffffffooo"},
    {&depends, "connect_x", "offpffffpfoffffffooo"},
    {&depends, "refuse_x", "oppfffppfpopoopppofo"},
    {&depends, "fail_x", "oppfffppfpopoopppofo"},
    {&depends, NULL, "oooooooooooooooooooo"},
    {&depends, "may_x", "oooooooooooooooooooo"},
    {NULL, "connect_x", "offpffffpfoffffffooo"},
    {NULL, "refuse_x", "oppfffppfpopoopppofo"},
    {NULL, NULL, "oooooooooooooooooooo"},
    {&defect, NULL, "ooofffppfooooopppofo"},
    {&defect, "connect_x", "offfffppfooooopppofo"},
    {&defect, "refuse_x", "oppfffppfooooopppofo"},
    {&wrong_name, NULL, "ooofffppfooooopppofo"},
    {&futile, NULL, "ooofffppfpopoopppofo"},
    {&futile, "refuse_x", "oppfffppfpopoopppofo"},
    {&target, NULL, "ooopoooopooooooooooo"},
    {&target, "refuse_x", "opppoooopooooooooooo"},
    {&target, "connect_x", "offpoooopooooooooooo"},
    {&loop, NULL, "ooopoooopooooooooooo"},
    {&loop, "fail_x", "opppoooopooooooooooo"},
    {&unseen, NULL, "oooooooooooooooooooo"},
    {&unseen, "refuse_x", "oppooooooooooooooooo"},
    {&may, NULL, "oooooooooooooooooooo"},
    {&may, "refuse_x", "oooooooooooooooooooo"},
};

static struct judgement
judge(const struct observed *o, const struct port_policy *row, const char *test)
{
    struct event e = observed_event(o);
    struct judgement got;
    struct outcome outcome;

    outcome_classify(&e, row, &outcome);
    verdict_judge(&e, &outcome, row, test, &got);
    return got;
}

/* A verdict that does not follow from the row, the facts and the name. */
static void
every_way_on_every_kind_of_port(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(matrix); i++) {
        assert_int_equal(strlen(matrix[i].want), LENGTH(ways));
        for (size_t w = 0; w < LENGTH(ways); w++) {
            struct judgement got =
                judge(&ways[w].in, matrix[i].row, matrix[i].test);

            if (verdict_names[got.verdict][0] != matrix[i].want[w])
                fail_msg("row %zu, %s: %s, %s", i, ways[w].name,
                         verdict_names[got.verdict], got.why);
        }
    }
}

static void
names_tell_by_their_prefix(void **state)
{
    static const struct {
        const char *name;
        enum test_kind want;
    } names[] = {
        {NULL, TEST_UNKNOWN},
        {"", TEST_UNKNOWN},
        {"connect_tls", TEST_CONNECT},
        {"test_connect_client_auth1", TEST_CONNECT},
        {"refuse_tls12", TEST_REFUSE},
        {"test_refuse_tls12", TEST_REFUSE},
        {"fail_plain_to_tls", TEST_REFUSE},
        {"fail_connect_wrong_fingerprint", TEST_REFUSE},
        {"test_fail_tls_to_plain", TEST_REFUSE},
        {"connect", TEST_UNKNOWN},
        {"connected_x", TEST_UNKNOWN},
        {"Connect_x", TEST_UNKNOWN},
        {"test_test_connect_x", TEST_UNKNOWN},
        {"test_", TEST_UNKNOWN},
        {"my_refuse_x", TEST_UNKNOWN},
        {"may_cn_only", TEST_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(names); i++)
        if (verdict_test_kind(names[i].name) != names[i].want)
            fail_msg("%s", names[i].name);
}

static const struct {
    const char *port; /* of the table; NULL: row */
    const struct port_policy *row;
    const char *test;
    struct observed in;
    enum verdict want;
    const char *why;
} sentences[] = {
    {"expiredcert", NULL, NULL, TLS(.received = 45, .end = END_EOF),
     VERDICT_PASS,
     "the client refused with alert 45 (expired-certificate), which is right: "
     "the certificate expired a day ago"},
    {"expiredcert", NULL, NULL,
     SHAKEN(.received = 48, .end = END_EOF, CHALLENGED), VERDICT_PASS,
     "the client refused with alert 48 (unknown-certificate-authority) after "
     "the handshake, which is right: the certificate expired a day ago"},
    {"expiredcert", NULL, NULL, SHAKEN(.end = END_CLOSE_NOTIFY, CHALLENGED),
     VERDICT_PASS,
     "the client left after the handshake, without an alert, which is right: "
     "the certificate expired a day ago"},
    {"expiredcert", NULL, NULL, TLS(.end = END_EOF), VERDICT_PASS,
     "the client hung up during the handshake, without an alert, which is "
     "right: the certificate expired a day ago"},
    {"expiredcert", NULL, "connect_x",
     SHAKEN(.end = END_CLOSE_NOTIFY, COMPLETED), VERDICT_FAIL,
     "the client completed the MAPI exchange although the certificate expired "
     "a day ago: verify the certificate before you log in"},
    {NULL, &wrong_name, NULL, SHAKEN(.end = END_EOF, RESPONDED), VERDICT_FAIL,
     "the client sent its MAPI response although the name is another: verify "
     "the host name before you log in"},
    /* A client of today offers nothing so old, and we have to say so. */
    {"tls12", NULL, NULL, TLS(.sent = 70, .end = END_REFUSED), VERDICT_PASS,
     "the server refused with alert 70 (protocol-version-not-supported), which "
     "is right: the server speaks TLS 1.2 at most"},
    {"tls12", NULL, NULL, TLS(.sent = 40, .end = END_REFUSED), VERDICT_OPEN,
     "the server refused with alert 40 (handshake-failure), so the client had "
     "nothing to judge"},
    {"expiredcert", NULL, NULL, TLS(.sent = 70, .end = END_REFUSED),
     VERDICT_OPEN,
     "the server refused with alert 70 (protocol-version-not-supported), so "
     "the client had nothing to judge"},
    {"tls12", NULL, "connect_tls12", SHAKEN(.end = END_EOF, RESPONDED),
     VERDICT_FAIL,
     "the client sent its MAPI response although the server speaks TLS 1.2 at "
     "most: demand TLS 1.3 before you log in"},
    {"server1", NULL, "connect_tls", SHAKEN(.end = END_EOF, COMPLETED),
     VERDICT_PASS, "the client completed the MAPI exchange, as it should"},
    {"server1", NULL, "connect_tls", TLS(.received = 48, .end = END_EOF),
     VERDICT_FAIL,
     "the client refused with alert 48 (unknown-certificate-authority), but it "
     "should connect: verify with ca1.crt, and by a name in the certificate"},
    {"server1", NULL, "connect_tls", TLS(.received = 45, .end = END_EOF),
     VERDICT_FAIL,
     "the client refused with alert 45 (expired-certificate), but it should "
     "connect: set the clock right, the certificate is valid today"},
    {"server1", NULL, "connect_tls", TLS(.received = 70, .end = END_EOF),
     VERDICT_FAIL,
     "the client refused with alert 70 (protocol-version-not-supported), but "
     "it should connect: speak the TLS version of this port"},
    {"server1", NULL, "fail_plain_to_tls",
     TLS_AS(FIRST_MAPI, .end = END_REFUSED), VERDICT_PASS,
     "the client sent plain MAPI where TLS is wanted, as the test wants"},
    {"server1", NULL, "connect_tls", TLS_AS(FIRST_HTTP, .end = END_REFUSED),
     VERDICT_FAIL,
     "the client sent plain HTTP where TLS is wanted, but it should connect: "
     "connect by TLS (monetdbs://)"},
    {"plain", NULL, "connect_plain",
     PLAIN_AS(FIRST_TLS, .end = END_EOF, .up = 400, .down = 90), VERDICT_FAIL,
     "the client spoke TLS where plain MAPI is wanted, but it should connect: "
     "connect without TLS (monetdb://)"},
    {"plain", NULL, "fail_tls_to_plain", PLAIN(.end = END_EOF, COMPLETED),
     VERDICT_FAIL,
     "the client completed the MAPI exchange, but this test must not connect: "
     "do not log in without TLS"},
    {"server1", NULL, "refuse_wrong_host", SHAKEN(.end = END_EOF, RESPONDED),
     VERDICT_FAIL,
     "the client sent its MAPI response, but this test must not connect: "
     "verify the certificate and the host name before you log in"},
    {"server1", NULL, NULL, SHAKEN(.end = END_EOF, COMPLETED), VERDICT_OPEN,
     "the client completed the MAPI exchange; no test name says whether it "
     "should connect"},
    {"clientauth", NULL, NULL, TLS(.sent = 116, .end = END_REFUSED),
     VERDICT_OPEN,
     "the server refused with alert 116 (certificate-required); no test name "
     "says whether it should connect"},
    {"clientauth", NULL, "connect_x", TLS(.sent = 116, .end = END_REFUSED),
     VERDICT_FAIL,
     "the server refused with alert 116 (certificate-required), but it should "
     "connect: show a client certificate"},
    {"clientauth", NULL, "refuse_x", TLS(.sent = 48, .end = END_REFUSED),
     VERDICT_PASS,
     "the server refused with alert 48 (unknown-certificate-authority), as the "
     "test wants"},
    {"sni", NULL, NULL, TLS(.sent = 112, .end = END_REFUSED), VERDICT_OPEN,
     "the server refused with alert 112 (unrecognized-name); no test name says "
     "whether it should connect"},
    {"sni", NULL, "connect_x", TLS(.sent = 112, .end = END_REFUSED),
     VERDICT_FAIL,
     "the server refused with alert 112 (unrecognized-name), but it should "
     "connect: send a server name (SNI) that is one of the host names"},
    {"server1", NULL, "connect_x", TLS(.sent = 10, .end = END_REFUSED),
     VERDICT_FAIL,
     "the server refused with alert 10 (unexpected-message), but it should "
     "connect: keep to the TLS protocol"},
    {"alpn_mapi9", NULL, NULL, SHAKEN(.end = END_REFUSED), VERDICT_OPEN,
     "the server closed the connection by this port's rule; no test name says "
     "whether it should connect"},
    {"alpn_mapi9", NULL, "connect_x", SHAKEN(.end = END_REFUSED), VERDICT_FAIL,
     "the server closed the connection by this port's rule, but it should "
     "connect: offer ALPN mapi/9"},
    {NULL, &good, NULL, TLS(.end = END_TIMEOUT), VERDICT_FAIL,
     "the client neither went on nor left until the server gave up, but it "
     "should connect: complete the handshake"},
    {NULL, &good, NULL, SHAKEN(.end = END_EOF, RESPONDED), VERDICT_FAIL,
     "the client sent its MAPI response, but it should connect: read on until "
     "the last message has come"},
    {NULL, &good, NULL, SHAKEN(.end = END_EOF, REACHED(MAPI_CHALLENGE, 9, 90)),
     VERDICT_FAIL,
     "the client sent application data, but it should connect: answer the "
     "challenge"},
    {NULL, &good, NULL, TLS_AS(FIRST_NONE, .end = END_EOF), VERDICT_OPEN,
     "somebody looked whether the port is open, which tells nothing of the "
     "client"},
    {NULL, &good, NULL, SHAKEN(.end = END_BACKEND), VERDICT_OPEN,
     "the backend failed, which tells nothing of the client"},
    {NULL, &futile, NULL, TLS(.end = END_EOF), VERDICT_PASS,
     "the client hung up during the handshake, without an alert, and the "
     "client could not do wrong: the server hangs up"},
    {NULL, &defect, NULL, TLS(.end = END_TIMEOUT), VERDICT_OPEN,
     "the client neither went on nor left until the server gave up: who "
     "refuses should end it by itself"},
    {NULL, &target, NULL, SHAKEN(.end = END_EOF, COMPLETED), VERDICT_PASS,
     "the client completed the MAPI exchange and did not follow the redirect, "
     "which is right: the redirect leaves TLS"},
    {NULL, &target, NULL, SHAKEN(.received = 48, .end = END_EOF), VERDICT_OPEN,
     "the client refused with alert 48 (unknown-certificate-authority) after "
     "the handshake; the client never got the redirect"},
    {NULL, &loop, NULL, SHAKEN(.end = END_EOF, COMPLETED), VERDICT_PASS,
     "the client completed the MAPI exchange and has not come too often, which "
     "is right: the port redirects to itself"},
    {NULL, &unseen, NULL, SHAKEN(.end = END_EOF, RESPONDED), VERDICT_OPEN,
     "the client sent its MAPI response; only the client knows whether it "
     "raised an error, as it must: the last message is cut off"},
    {NULL, &unseen, NULL, TLS(.received = 48, .end = END_EOF), VERDICT_OPEN,
     "the client refused with alert 48 (unknown-certificate-authority); the "
     "client never came to what is wrong here"},
    {NULL, &may, NULL, TLS(.received = 41, .end = END_EOF), VERDICT_OPEN,
     "the client refused with alert 41; it may go either way here: opinions "
     "differ"},
    {NULL, &may, NULL, SHAKEN(.end = END_EOF, COMPLETED), VERDICT_OPEN,
     "the client completed the MAPI exchange; it may go either way here: "
     "opinions differ"},
    /* Behind it is no simulator. */
    {NULL, NULL, "connect_x", SHAKEN(.end = END_EOF, .up = 1, .down = 1),
     VERDICT_PASS, "the client completed the MAPI exchange, as it should"},
    {NULL, NULL, "connect_x", SHAKEN(.end = END_RESET, .up = 1, .down = 1),
     VERDICT_OPEN,
     "the client sent its MAPI response and was answered, but the end was not "
     "an orderly one"},
    {NULL, NULL, "refuse_x", SHAKEN(.end = END_RESET, .up = 1, .down = 1),
     VERDICT_FAIL,
     "the client sent its MAPI response, but this test must not connect: "
     "verify the certificate and the host name before you log in"},
    {NULL, NULL, "connect_x", TLS(.received = 42, .end = END_EOF), VERDICT_FAIL,
     "the client refused with alert 42 (bad-certificate), but it should "
     "connect: verify with the CA that has issued the certificate, and by a "
     "name in the certificate"},
};

static void
sentences_say_what_happened_and_what_to_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(sentences); i++) {
        const struct port_policy *row = sentences[i].port != NULL
                                            ? port_find(sentences[i].port)
                                            : sentences[i].row;
        struct judgement got = judge(&sentences[i].in, row, sentences[i].test);

        if (strcmp(got.why, sentences[i].why) != 0)
            fail_msg("case %zu: %s", i, got.why);
        assert_int_equal(got.verdict, sentences[i].want);
    }
}

static void
what_follows_makes_it_a_failure(void **state)
{
    struct judgement got = {.verdict = VERDICT_PASS};

    (void)state;
    verdict_followed(&target, &got);
    assert_int_equal(got.verdict, VERDICT_FAIL);
    assert_string_equal(
        got.why, "the client logged in at the redirect's target although the "
                 "redirect leaves TLS: refuse such a redirect before you "
                 "connect again");
    got.verdict = VERDICT_PASS;
    verdict_too_often(&loop, &got);
    assert_int_equal(got.verdict, VERDICT_FAIL);
    assert_string_equal(
        got.why, "the client connected 20 times within 10 s although the port "
                 "redirects to itself: follow no more than a few redirects in "
                 "a row");
}

/* The sentence is whole, one line and printable. */
static void
assert_is_a_sentence(const struct judgement *got)
{
    size_t length = strlen(got->why);

    assert_in_range(got->verdict, VERDICT_PASS, VERDICT_OPEN);
    assert_in_range(length, 20, sizeof got->why - 2);
    for (size_t i = 0; i < length; i++)
        assert_in_range(got->why[i], ' ', '~');
}

/* A sentence that is cut, because the port's reason or an alert's name is long.
 */
static void
every_sentence_has_room(void **state)
{
    static const char *const tests[] = {NULL, "connect_x", "refuse_x"};

    (void)state;
    for (size_t row = 0; row < port_table_count; row++)
        for (size_t w = 0; w < LENGTH(ways); w++)
            for (size_t t = 0; t < LENGTH(tests); t++)
                for (int alert = 1; alert < 256; alert++) {
                    struct observed o = ways[w].in;
                    struct judgement got;

                    o.received = o.received != 0 ? alert : 0;
                    o.sent = o.sent != 0 ? alert : 0;
                    got = judge(&o, &port_table[row], tests[t]);
                    assert_is_a_sentence(&got);
                    if (port_table[row].judge == JUDGE_TARGET) {
                        verdict_followed(&port_table[row], &got);
                        assert_is_a_sentence(&got);
                    }
                    if (port_table[row].judge == JUDGE_COUNT) {
                        verdict_too_often(&port_table[row], &got);
                        assert_is_a_sentence(&got);
                    }
                    if (o.received == 0 && o.sent == 0)
                        break;
                }
}

static unsigned
up_to(unsigned most)
{
    return (unsigned)random() % (most + 1);
}

/* Facts that no connection has, all the same: no crash, no value out of range,
 * and a probe is never judged. */
static void
whatever_the_facts_there_is_a_verdict(void **state)
{
    static const struct port_policy *const rows[] = {
        NULL,        &good,   &depends, &may,  &defect,
        &wrong_name, &futile, &target,  &loop, &unseen,
    };
    static const char *const tests[] = {NULL, "connect_x", "refuse_x", "x"};

    (void)state;
    srandom(6);
    for (int i = 0; i < 200000; i++) {
        const struct port_policy *row = rows[up_to(LENGTH(rows) - 1)];
        struct event e = {
            .tls = up_to(1),
            .handshake = up_to(1),
            .framed = up_to(1),
            .first = up_to(FIRST_OTHER),
            .end = up_to(END_BACKEND),
            .phase = up_to(PHASE_ANNOUNCE),
            .mapi = up_to(MAPI_COMPLETE),
            .error = (int)up_to(120),
            .alert_received = (int16_t)((int)up_to(2) ? -1 : (int)up_to(255)),
            .alert_sent = (int16_t)((int)up_to(2) ? -1 : (int)up_to(255)),
            .bytes_up = up_to(2),
            .bytes_down = up_to(2),
        };
        struct judgement got;
        struct outcome outcome;

        outcome_classify(&e, row, &outcome);
        assert_in_range(outcome.origin, 0, ORIGIN_ORDERLY);
        assert_in_range(outcome.result, 0, RESULT_VALIDATION_FAILURE);
        assert_int_equal(outcome.code[0] == '\0',
                         outcome.result == RESULT_SUCCESS);
        verdict_judge(&e, &outcome, row, tests[up_to(3)], &got);
        assert_is_a_sentence(&got);
        if (outcome.probe)
            assert_int_equal(got.verdict, VERDICT_OPEN);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_on_every_kind_of_port),
        cmocka_unit_test(names_tell_by_their_prefix),
        cmocka_unit_test(sentences_say_what_happened_and_what_to_do),
        cmocka_unit_test(what_follows_makes_it_a_failure),
        cmocka_unit_test(every_sentence_has_room),
        cmocka_unit_test(whatever_the_facts_there_is_a_verdict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
