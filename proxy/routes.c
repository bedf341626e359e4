/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_TYPE "text/plain; charset=utf-8"

typedef void route_handler(const struct routes_context *, struct http_reply *);

static void
reply_json(struct http_reply *reply, json_t *json)
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

static void
reply_error(struct http_reply *reply, unsigned status, const char *sentence)
{
    reply_json(reply, json_pack("{s:s}", "error", sentence));
    reply->status = status;
}

/* Only lines `name:port`: clients split at the colon and know no comment. */
static void
get_portmap_text(const struct routes_context *context, struct http_reply *reply)
{
    const struct chart *chart = context->chart;
    FILE *out = open_memstream(&reply->body, &reply->length);

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

static void
get_portmap(const struct routes_context *context, struct http_reply *reply)
{
    reply_json(reply, portmap_json(context));
}

static void
get_status(const struct routes_context *context, struct http_reply *reply)
{
    reply_json(reply, status_json(context));
}

static const struct {
    const char *path;
    route_handler *get;
} routes[] = {
    {"/", get_portmap_text},
    {"/api/portmap", get_portmap},
    {"/api/status", get_status},
};

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

    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(request->path, routes[i].path) == 0) {
            routes[i].get(context, reply);
            return;
        }
    if (strncmp(request->path, "/api/", 5) == 0) {
        reply_error(reply, 404, "there is no such resource under /api/");
        return;
    }
    file = store_find(context->store, request->path + 1);
    if (file != NULL)
        get_file(file, reply);
}
