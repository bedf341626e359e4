/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/fuzz/served.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

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

static const char *const fixed[] = {"/", "/api/portmap", "/api/status"};

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
    context =
        (struct routes_context){&settings, &chart, board_new(), &store, NULL};
    REQUIRE(context.board != NULL);
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
    REQUIRE((reply->status == 200) == served_path(path));
    if (reply->status == 0) {
        REQUIRE(reply->body == NULL);
        return;
    }
    REQUIRE(reply->status == 200 || reply->status == 404);
    REQUIRE(reply->body != NULL && reply->type != NULL);
    if (strcmp(reply->type, "application/json") == 0) {
        json_t *json = json_loadb(reply->body, reply->length,
                                  JSON_REJECT_DUPLICATES, NULL);

        REQUIRE(strncmp(path, "/api/", 5) == 0);
        REQUIRE(json_is_object(json));
        json_decref(json);
    } else if (strcmp(path, "/") == 0) {
        check_portmap(reply->body, reply->length);
    }
}
