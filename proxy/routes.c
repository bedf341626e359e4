/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "proxy/filter.h"

#define TEXT_TYPE "text/plain; charset=utf-8"

double
routes_now(void)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}

void
routes_reply_json(struct http_reply *reply, json_t *json)
{
    *reply = (struct http_reply){
        .status = 200,
        .type = "application/json",
        .body = json_dumps(json, JSON_INDENT(1)),
    };
    json_decref(json);
    if (reply->body != NULL)
        reply->length = strlen(reply->body);
    else
        reply->status = 500;
}

void
routes_reply_error(struct http_reply *reply, unsigned status,
                   const char *sentence)
{
    routes_reply_json(reply, json_pack("{s:s}", "error", sentence));
    reply->status = status;
}

/* All records, unless strangers can ask or can be in them. */
static bool
shows_all(const struct routes_context *context)
{
    bool exposed = context->exposed;

    for (int c = 0; c < CREW_COUNT; c++)
        exposed = exposed || context->chart->exposed[c];
    switch (context->settings->records) {
    case RECORDS_ALL:
        return true;
    case RECORDS_OWN:
        return false;
    case RECORDS_BY_ADDRESS:
        break;
    }
    return !exposed;
}

bool
routes_filter(const struct routes_context *context,
              const struct http_request *request, struct filter *filter,
              struct http_reply *reply)
{
    struct client asker = client_of(&request->client);
    char error[QUERY_ERROR_MAX];

    if (filter_read(filter, context->chart, request->query,
                    request->query_length, &asker, !shows_all(context), error))
        return true;
    routes_reply_error(reply, 400, error);
    return false;
}

/* Only lines `name:port`: clients split at the colon and know no comment. */
static void
get_portmap_text(const struct routes_context *context,
                 const struct http_request *request, struct http_reply *reply)
{
    const struct chart *chart = context->chart;
    FILE *out = open_memstream(&reply->body, &reply->length);

    (void)request;
    if (out == NULL)
        return;
    if (chart->tester)
        fprintf(out, "base:%u\n", chart_base(chart));
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (chart->ports[i].open)
            fprintf(out, "%s:%u\n", chart->ports[i].name,
                    chart_number(chart, &chart->ports[i]));
    if (fclose(out) != 0)
        return;
    reply->status = 200;
    reply->type = TEXT_TYPE;
}

static route_handler get_list;

typedef json_t *resource_json(const struct routes_context *);

/* A resource has a handler, or is an object that depends on no request. */
static const struct {
    const char *path;
    const char *about; /* NULL: not listed */
    route_handler *handle;
    resource_json *json;
    bool filters; /* knows `test` and `port` as filters: no test begins */
} routes[] = {
    {"/", NULL, get_portmap_text, NULL, false},
    {"/metrics", "counters, as Prometheus reads them", route_metrics, NULL,
     false},
    {"/api/", NULL, get_list, NULL, false},
    {"/api/portmap", "every port with its rule", NULL, portmap_json, false},
    {"/api/status", "processes, counters, limits, certificates", NULL,
     status_json, false},
    {"/api/tests", "the tests that a client should go through", NULL,
     tests_json, false},
    {"/api/connections",
     "what clients did; port, test, client, verdict, since, limit, wait",
     route_connections, NULL, true},
    {"/api/verdicts",
     "the verdict on each test's newest run; port, test, client, verdict, "
     "since, limit",
     route_verdicts, NULL, true},
    {"/api/report", "a report after RFC 8460; port, test, client", route_report,
     NULL, true},
};
enum { ROUTES = sizeof routes / sizeof routes[0] };

static void
get_list(const struct routes_context *context,
         const struct http_request *request, struct http_reply *reply)
{
    json_t *list = json_object();

    (void)context;
    (void)request;
    for (size_t i = 0; i < ROUTES; i++)
        if (routes[i].about != NULL)
            json_object_set_new(list, routes[i].path,
                                json_string(routes[i].about));
    routes_reply_json(reply, json_pack("{s:o}", "resources", list));
}

struct start {
    struct query_text test, port;
};

static const struct query_rule start_rules[] = {
    {"test", QUERY_TEXT, offsetof(struct start, test), 0, NULL},
    {"port", QUERY_TEXT, offsetof(struct start, port), 0, NULL},
};

/* ?test=NAME begins a test of the client's, on all ports or on one.  What
 * cannot be bound is not: the request is answered all the same. */
static void
bind_test(const struct routes_context *context,
          const struct http_request *request)
{
    struct start asked = {.test = {.given = false}};
    struct client client = client_of(&request->client);
    const struct chart_port *port = NULL;
    char error[QUERY_ERROR_MAX];

    if (!query_read(request->query, request->query_length, start_rules, 2,
                    &asked, error)
        || !asked.test.given)
        return;
    if (asked.port.given && strlen(asked.port.bytes) == asked.port.length)
        port = chart_find(context->chart, asked.port.bytes);
    if (asked.port.given && port == NULL)
        return; /* not on all ports instead */
    (void)bindings_bind(context->bindings, &client, bindings_now(),
                        port != NULL ? (int)(port - context->chart->ports)
                                     : BINDINGS_ALL_PORTS,
                        asked.test.bytes, asked.test.length);
}

static void
get_file(const struct store_file *file, struct http_reply *reply)
{
    reply->body = malloc(file->length + 1);
    if (reply->body == NULL)
        return;
    memcpy(reply->body, file->bytes, file->length);
    reply->length = file->length;
    reply->status = 200;
    reply->type = file->text ? TEXT_TYPE : "application/binary";
}

void
routes_answer(void *arg, const struct http_request *request,
              struct http_reply *reply)
{
    const struct routes_context *context = arg;
    const struct store_file *file;
    size_t i = 0;

    while (i < ROUTES && strcmp(request->path, routes[i].path) != 0)
        i++;
    if (i == ROUTES || !routes[i].filters)
        bind_test(context, request);
    if (i < ROUTES && routes[i].handle != NULL) {
        routes[i].handle(context, request, reply);
    } else if (i < ROUTES) {
        routes_reply_json(reply, routes[i].json(context));
    } else if (strncmp(request->path, "/api/", 5) == 0) {
        routes_reply_error(reply, 404, "there is no such resource under /api/");
    } else {
        file = store_find(context->store, request->path + 1);
        if (file != NULL)
            get_file(file, reply);
    }
}
