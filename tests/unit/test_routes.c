/*
 * test_routes.c - what the API answers for fixed records, in golden files
 *
 * GOLDEN_UPDATE=1 writes the files anew; the difference is then for eyes.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/routes.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/arrivals.h"

#define GOLDEN MAPITEST_SOURCE_DIR "/tests/golden/"

static struct settings settings = {.hostnames = {"db.example.org"},
                                   .hostname_count = 1,
                                   .http_connections = 256};
static struct chart chart;
static struct routes_context context = {
    .settings = &settings, .chart = &chart, .started = ARRIVAL_TIME};
static struct bindings *bindings;
static struct records *records;

static void
open_port(size_t index, const char *name, enum crew crew)
{
    chart.ports[index] = (struct chart_port){
        .open = true, .number = (uint16_t)(4301 + index), .crew = crew};
    snprintf(chart.ports[index].name, sizeof chart.ports[index].name, "%s",
             name);
}

static void
begin(size_t history)
{
    bindings = bindings_new();
    records = records_new(history, bindings);
    assert_true(bindings != NULL && records != NULL);
    context.bindings = bindings;
    context.records = records;
}

static void
finish(void)
{
    records_free(records);
    bindings_free(bindings);
}

static void
bind_name(const char *ip, double when, const char *name)
{
    struct net_address address;
    struct client client;

    assert_true(net_numeric(ip, 1, &address));
    client = client_of(&address);
    assert_true(bindings_bind(bindings, &client, when, BINDINGS_ALL_PORTS, name,
                              strlen(name)));
}

static void
send_event(struct event *event, uint16_t port)
{
    const char *name = chart.ports[port].name;

    event->port = port;
    arrive(records, event, name, port_find(name));
}

/* A connect, a refusal, a failure to refuse, a probe, an operator's port. */
static void
fill(void)
{
    struct event event = arrival(1, "127.0.0.1");

    bind_name("::1", ARRIVAL_TIME, "connect_\xc3\xa9\"\x1b");
    send_event(&event, 0);
    bind_name("::1", ARRIVAL_TIME + 2, "refuse_expired");
    event = arrival(2, "::1");
    event.handshake = false;
    event.bytes_up = event.bytes_down = 0;
    event.mapi = MAPI_NONE;
    event.alert_received = 45;
    event.end = END_EOF;
    event.phase = PHASE_HANDSHAKE;
    event.handshake_seconds = event.backend_seconds = -1;
    event.sni = (struct event_bytes){(const uint8_t *)"\xff<b>\n", 5};
    send_event(&event, 1);
    event.id = 3;
    send_event(&event, 1);
    event = arrival(4, "192.0.2.7");
    send_event(&event, 1);
    event = (struct event){.id = 5,
                           .accepted = ARRIVAL_TIME + 5,
                           .alert_received = EVENT_NO_ALERT,
                           .alert_sent = EVENT_NO_ALERT,
                           .end = END_EOF,
                           .handshake_seconds = -1,
                           .backend_seconds = -1};
    net_numeric("2001:db8::1", 50005, &event.client);
    send_event(&event, 2);
    event = arrival(6, "2001:db8::1");
    event.backend = "10.1.2.3:50000";
    send_event(&event, 3);
}

static struct http_reply
get(const char *path, const char *query, const char *ip)
{
    struct http_request request = {.path = path,
                                   .query = query,
                                   .query_length = strlen(query),
                                   .accept = "",
                                   .waiting = HTTP_WAITED};
    struct http_reply reply = {0};

    assert_true(net_numeric(ip, 1, &request.client));
    routes_answer(&context, &request, &reply);
    assert_non_null(reply.body);
    return reply;
}

static json_t *
get_json(const char *path, const char *query, const char *ip, unsigned status)
{
    struct http_reply reply = get(path, query, ip);
    json_t *json =
        json_loadb(reply.body, reply.length, JSON_REJECT_DUPLICATES, NULL);

    assert_int_equal(reply.status, status);
    assert_non_null(json);
    for (size_t i = 0; i < reply.length; i++)
        if (reply.body[i] != '\n')
            assert_in_range((unsigned char)reply.body[i], 0x20, 0x7e);
    free(reply.body);
    return json;
}

static size_t
how_many(const char *path, const char *query, const char *ip, const char *list)
{
    json_t *json = get_json(path, query, ip, 200);
    size_t n = json_array_size(json_object_get(json, list));

    json_decref(json);
    return n;
}

static void
compare(const char *name, const char *text)
{
    static char golden[256 * 1024];
    char path[512];
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, GOLDEN "%s", name);
    if (getenv("GOLDEN_UPDATE") != NULL) {
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
    file = fopen(path, "r");
    assert_non_null(file);
    n = fread(golden, 1, sizeof golden - 1, file);
    fclose(file);
    golden[n] = '\0';
    assert_string_equal(text, golden);
}

static void
compare_json(const char *name, json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(1));
    char *line = NULL;

    assert_non_null(text);
    assert_true(asprintf(&line, "%s\n", text) > 0);
    compare(name, line);
    free(line);
    free(text);
    json_decref(json);
}

/* Would catch a shape that changes, and text of a peer's that is not escaped.
 */
static void
answers_are_as_they_were(void **state)
{
    json_t *report;
    struct http_reply metrics;

    (void)state;
    begin(10);
    fill();
    compare_json("connections.json",
                 get_json("/api/connections", "", "127.0.0.1", 200));
    compare_json("verdicts.json",
                 get_json("/api/verdicts", "", "127.0.0.1", 200));
    compare_json("tests.json", get_json("/api/tests", "", "127.0.0.1", 200));
    report = get_json("/api/report", "", "127.0.0.1", 200);
    assert_true(strlen(json_string_value(json_object_get(report, "report-id")))
                > 20);
    json_object_set_new(report, "report-id", json_string("ID"));
    json_object_set_new(json_object_get(report, "date-range"), "end-datetime",
                        json_string("NOW"));
    compare_json("report.json", report);
    metrics = get("/metrics", "", "127.0.0.1");
    compare("metrics.txt", metrics.body);
    free(metrics.body);
    finish();
}

/* Would catch a client that sees another's records. */
static void
own_is_own(void **state)
{
    static const struct {
        const char *ip;
        size_t connections, verdicts;
    } cases[] = {{"127.0.0.1", 3, 2},   {"::1", 3, 2},
                 {"192.0.2.7", 1, 1},   {"192.0.2.8", 0, 0},
                 {"2001:db8::1", 2, 1}, {"2001:db8::2", 0, 0}};
    struct settings kept = settings;

    (void)state;
    begin(10);
    fill();
    assert_int_equal(
        how_many("/api/connections", "", "192.0.2.8", "connections"), 6);
    for (int exposed = 0; exposed < 2; exposed++) {
        settings.records = exposed ? RECORDS_BY_ADDRESS : RECORDS_OWN;
        chart.exposed[CREW_TEST] = exposed;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            assert_int_equal(how_many("/api/connections", "client=127.0.0.1",
                                      cases[i].ip, "connections"),
                             i < 2 ? 3 : 0);
            assert_int_equal(
                how_many("/api/connections", "", cases[i].ip, "connections"),
                cases[i].connections);
            assert_int_equal(
                how_many("/api/verdicts", "", cases[i].ip, "verdicts"),
                cases[i].verdicts);
        }
    }
    settings.records = RECORDS_ALL;
    assert_int_equal(
        how_many("/api/connections", "", "192.0.2.8", "connections"), 6);
    settings = kept;
    chart.exposed[CREW_TEST] = false;
    finish();
}

/* Would catch an answer, or a time to make it, without a bound. */
static void
answers_are_bounded(void **state)
{
    static uint8_t worst[255];
    const struct {
        const char *path, *list;
    } lists[] = {{"/api/connections", "connections"},
                 {"/api/verdicts", "verdicts"}};
    struct http_reply reply;

    (void)state;
    begin(3000);
    memset(worst, 0xff, sizeof worst);
    for (unsigned i = 0; i < 3000; i++) {
        struct event event = arrival(i, "10.0.0.0");
        char name[BINDINGS_NAME_MAX + 1];

        event.client.sa.v4.sin_addr.s_addr += htonl(i);
        event.sni = (struct event_bytes){worst, sizeof worst};
        event.client_certificate = true;
        event.client_subject = event.alpn_selected = event.sni;
        memset(name, 0xff, sizeof name);
        snprintf(name, 8, "%07u", i);
        name[7] = '\xff';
        name[BINDINGS_NAME_MAX] = '\0';
        struct client client = client_of(&event.client);
        assert_true(bindings_bind(bindings, &client, event.accepted,
                                  BINDINGS_ALL_PORTS, name, strlen(name)));
        event.alert_received = 45;
        send_event(&event, 1);
    }
    for (size_t i = 0; i < 2; i++) {
        uint64_t since = 0;
        size_t found = 0;
        unsigned turns = 0;

        while (found < 3000 && turns++ < 100) {
            char query[64];
            json_t *json;

            snprintf(query, sizeof query, "limit=1000&since=%u",
                     (unsigned)since);
            reply = get(lists[i].path, query, "127.0.0.1");
            assert_true(reply.length <= 1 << 20);
            json = json_loadb(reply.body, reply.length, 0, NULL);
            found += json_array_size(json_object_get(json, lists[i].list));
            since = (uint64_t)json_integer_value(json_object_get(json, "next"));
            json_decref(json);
            free(reply.body);
        }
        assert_int_equal(found, 3000);
        assert_int_equal(since, 3001);
    }
    reply = get("/api/report", "", "127.0.0.1");
    assert_true(reply.length <= 1 << 20);
    assert_non_null(strstr(reply.body, "\"failed-session-count\": 2500"));
    assert_non_null(strstr(reply.body, "session-count\": 3000"));
    free(reply.body);
    finish();
}

/* Would catch bytes of a peer's that break out of a string. */
static void
random_names_break_nothing(void **state)
{
    static const char *const paths[] = {"/api/connections", "/api/verdicts",
                                        "/api/report"};

    (void)state;
    srand(1);
    for (unsigned i = 0; i < 200; i++) {
        struct event event = arrival(1, "127.0.0.1");
        char name[BINDINGS_NAME_MAX + 1] = "";
        size_t length = (size_t)rand() % BINDINGS_NAME_MAX;

        for (size_t n = 0; n < length; n++)
            name[n] = (char)(1 + rand() % 255);
        begin(2);
        bind_name("127.0.0.1", ARRIVAL_TIME, name);
        event.sni =
            (struct event_bytes){(const uint8_t *)name, (uint8_t)(length + 1)};
        event.alert_received = 42;
        send_event(&event, 1);
        for (size_t n = 0; n < 3; n++)
            json_decref(get_json(paths[n], "", "127.0.0.1", 200));
        finish();
    }
}

/* Would catch a request that waits for ever after control has begun anew. */
static void
a_number_of_another_run_gives_all(void **state)
{
    (void)state;
    begin(10);
    fill();
    assert_int_equal(
        how_many("/api/connections", "since=7", "::1", "connections"), 0);
    assert_int_equal(
        how_many("/api/connections", "since=8", "::1", "connections"), 6);
    assert_int_equal(
        how_many("/api/connections", "since=6", "::1", "connections"), 1);
    assert_int_equal(
        how_many("/api/connections", "test=", "::1", "connections"), 3);
    json_decref(get_json("/api/connections", "limit=x", "::1", 400));
    json_decref(get_json("/api/nothing", "", "::1", 404));
    finish();
}

/* Would catch an operator's port that is taken for the row whose name it has,
 * as it may while the row's group is off: what is wrong there is not here. */
static void
an_operators_port_is_no_row(void **state)
{
    struct event event = arrival(1, "127.0.0.1");
    json_t *json;
    const char *type;

    (void)state;
    begin(10);
    event.port = 3;
    event.alert_received = 42;
    arrive(records, &event, "wronghost", NULL);
    json = get_json("/api/connections", "", "127.0.0.1", 200);
    assert_int_equal(
        json_unpack(json, "{s:[{s:s}]}", "connections", "result_type", &type),
        0);
    assert_string_equal(type, "validation-failure");
    json_decref(json);
    finish();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_as_they_were),
        cmocka_unit_test(own_is_own),
        cmocka_unit_test(answers_are_bounded),
        cmocka_unit_test(random_names_break_nothing),
        cmocka_unit_test(a_number_of_another_run_gives_all),
        cmocka_unit_test(an_operators_port_is_no_row),
    };
    struct board *board = board_new();

    if (board == NULL)
        return 1;
    board->started = ARRIVAL_TIME;
    context.board = board;
    open_port(0, "server1", CREW_TEST);
    open_port(1, "expiredcert", CREW_TEST);
    open_port(2, "plain", CREW_TEST);
    open_port(3, "sales", CREW_CONFIGURED);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
