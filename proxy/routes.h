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
#include "proxy/board.h"
#include "proxy/chart.h"
#include "proxy/http.h"
#include "proxy/settings.h"

/* What answers are made from; nothing in it belongs to routes. */
struct routes_context {
    const struct settings *settings;
    const struct chart *chart;
    const struct board *board;
    const struct store *store;
    const struct http_counters *http; /* NULL: nothing is counted */
};

/* Answer a request; context is a struct routes_context. */
void routes_answer(void *context, const struct http_request *request,
                   struct http_reply *reply);

/* The objects behind /api/portmap and /api/status; new references. */
json_t *portmap_json(const struct routes_context *context);
json_t *status_json(const struct routes_context *context);

#endif
