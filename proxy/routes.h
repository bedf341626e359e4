/*
 * routes.h - what the base port answers
 *
 * The handler that control gives to http.h: the port map on `/`, resources
 * under `/api/`, and the generated files under their names.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_ROUTES_H
#define PROXY_ROUTES_H

#include <jansson.h>

#include "certs/store.h"
#include "proxy/bindings.h"
#include "proxy/board.h"
#include "proxy/chart.h"
#include "proxy/http.h"
#include "proxy/records.h"
#include "proxy/settings.h"

/* What answers are made from; nothing in it belongs to routes. */
struct routes_context {
    const struct settings *settings;
    const struct chart *chart;
    const struct board *board;
    const struct store *store;
    const struct http_counters *http; /* NULL: nothing is counted */
    struct bindings *bindings;
    const struct records *records;
    bool exposed;   /* HTTP listens not on loopback addresses alone */
    double started; /* when records began, in seconds since 1970 */
};

/* Answer a request; context is a struct routes_context. */
void routes_answer(void *context, const struct http_request *request,
                   struct http_reply *reply);

/* A held_wants: true if the record is what the held request waits for. */
bool routes_wants(const void *wanted, const void *record);

/* A resource: fill the reply, whose fields are zeros.  Not to be called for
 * what routes_answer() answers by itself. */
typedef void
route_handler(const struct routes_context *context,
              const struct http_request *request, struct http_reply *reply);
route_handler route_connections, route_verdicts, route_report, route_metrics;

/* Seconds since 1970. */
double routes_now(void);

/* An answer that is JSON; steals the reference. */
void routes_reply_json(struct http_reply *reply, json_t *json);

/* An error: one sentence. */
void routes_reply_error(struct http_reply *reply, unsigned status,
                        const char *sentence);

/* Read the filter of a request.  False: the reply is an error. */
struct filter;
bool routes_filter(const struct routes_context *context,
                   const struct http_request *request, struct filter *filter,
                   struct http_reply *reply);

/* The objects behind /api/portmap, /api/status and /api/tests; new references.
 */
json_t *portmap_json(const struct routes_context *context);
json_t *status_json(const struct routes_context *context);
json_t *tests_json(const struct routes_context *context);

#endif
