/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/fuzz/served.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/arrivals.h"

static uint8_t pem[] = "-----BEGIN CERTIFICATE-----\n";
static uint8_t der[] = "0\202\003\001";

static struct store_file files[] = {
    {(char *)"ca1.crt", pem, sizeof pem - 1, true},
    {(char *)"ca1.key", pem, sizeof pem - 1, true},
    {(char *)"ca1.der", der, sizeof der - 1, false},
    {(char *)"client2.keycrt", pem, sizeof pem - 1, true},
    {(char *)"server1x.crt", pem, sizeof pem - 1, true},
};
enum { FILES = sizeof files / sizeof files[0] };

static const char *const fixed[] = {
    "/",
    "/metrics",
    "/api/",
    "/api/portmap",
    "/api/status",
    "/api/tests",
    "/api/report",
    "/api/verdicts",
    "/api/connections",
};

/* A few, with names that are no harmless ones. */
static struct records *
served_records(struct bindings *bindings)
{
    static const char name[] = "refuse_\033[2J\"\\\xff";
    static const char *const ports[] = {"server1", "expiredcert", "plain"};
    struct records *records = records_new(8, bindings);
    struct client client;

    REQUIRE(records != NULL);
    for (uint64_t i = 0; i < 12; i++) {
        const char *port = ports[i % 3];
        struct event event = arrival(i, i & 1 ? "127.0.0.1" : "2001:db8::1");

        client = client_of(&event.client);
        if (i % 4 == 0)
            REQUIRE(bindings_bind(bindings, &client, event.accepted,
                                  BINDINGS_ALL_PORTS, name, sizeof name - 1));
        event.sni = (struct event_bytes){(const uint8_t *)name, sizeof name};
        arrive(records, &event, port, port_find(port));
    }
    return records;
}

struct routes_context *
served(void)
{
    static struct settings settings = {
        .serve = true,
        .tester = true,
        .base_port = 4300,
        .sequential = true,
        .groups = 1,
        .hostnames = {"localhost", "db.example.org"},
        .hostname_count = 2,
        .forward_port = 50001,
        .forward = {true, "2001:db8::1", 50000},
    };
    static struct backend backends[LAYOUT_BACKENDS] = {
        {.simulator = true},
        {.targets = &settings.forward, .target_count = 1},
    };
    static struct edition edition = {.backends = backends};
    static struct chart chart;
    static struct store store = {FILES, files};
    static struct routes_context context;
    char reason[256];

    if (context.store != NULL)
        return &context;
    REQUIRE(layout_plan(&edition.layout, &settings, reason, sizeof reason)
            == 0);
    chart_enter(&chart, &edition, &settings);
    context = (struct routes_context){
        .settings = &settings,
        .chart = &chart,
        .board = board_new(),
        .store = &store,
        .bindings = bindings_new(),
    };
    REQUIRE(context.board != NULL && context.bindings != NULL);
    context.records = served_records(context.bindings);
    return &context;
}

bool
served_path(const char *path)
{
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (strcmp(path, fixed[i]) == 0)
            return true;
    for (size_t i = 0; i < FILES; i++)
        if (path[0] == '/' && strcmp(path + 1, files[i].name) == 0)
            return true;
    return false;
}

/* Lines of name:port, as clients split them. */
static void
check_portmap(const char *text, size_t length)
{
    const char *at = text;

    REQUIRE(length > 0 && strlen(text) == length && text[length - 1] == '\n');
    while (*at != '\0') {
        size_t name = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
        size_t digits = strspn(at + name + 1, "0123456789");

        REQUIRE(name > 0 && at[name] == ':' && digits > 0);
        at += name + 1 + digits;
        REQUIRE(*at == '\n');
        at++;
    }
}

void
served_check(const char *path, const struct http_reply *reply)
{
    /* A query can be wrong only where there is something to ask for. */
    REQUIRE((reply->status == 200 || reply->status == 400)
            == served_path(path));
    if (reply->status == 0) {
        REQUIRE(reply->body == NULL);
        return;
    }
    REQUIRE(reply->status == 200 || reply->status == 400
            || reply->status == 404);
    REQUIRE(reply->body != NULL && reply->type != NULL);
    if (strncmp(path, "/api/", 5) == 0) {
        json_t *json = json_loadb(reply->body, reply->length,
                                  JSON_REJECT_DUPLICATES, NULL);

        REQUIRE(json_is_object(json));
        REQUIRE((reply->status != 200)
                == json_is_string(json_object_get(json, "error")));
        json_decref(json);
    } else if (strcmp(path, "/") == 0) {
        check_portmap(reply->body, reply->length);
    }
}
