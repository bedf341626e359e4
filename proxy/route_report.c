/* GET /api/report: RFC 8460; see routes.h.  SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/log.h"
#include "proxy/account.h"
#include "proxy/filter.h"
#include "proxy/keyset.h"
#include "proxy/routes.h"

#define JSON_TYPE "application/tlsrpt+json"
#define GZIP_TYPE "application/tlsrpt+gzip"

/* Kinds of failures that are told; the rest is added up by result type. */
#define DETAILS_MAX 500
#define RESULTS     (RESULT_VALIDATION_FAILURE + 1)

/* Failures that do not differ in what a report tells. */
struct detail {
    const struct record *record; /* the newest of them */
    uint64_t count;
};

struct report {
    struct keyset keys;
    struct detail details[DETAILS_MAX];
    uint64_t rest[RESULTS];
    uint64_t successes, failures;
    double first; /* when the first session began */
};

/* The client, its test or port, and how it failed. */
static uint64_t
key_of(const struct records *records, const struct record *record,
       const struct record_view *view)
{
    char text[256];
    int n =
        snprintf(text, sizeof text, "%016" PRIx64 " %d %s %s", record->group,
                 (int)view->outcome.result, record->port, view->outcome.code);

    return records_hash(records, text, (size_t)n);
}

static void
add_record(struct report *report, const struct records *records,
           const struct record *record)
{
    struct record_view view;
    size_t number;

    records_view(record, &view);
    if (view.outcome.probe)
        return;
    if (report->first == 0 || record->accepted < report->first)
        report->first = record->accepted;
    if (view.outcome.result == RESULT_SUCCESS) {
        report->successes++;
        return;
    }
    report->failures++;
    if (!keyset_enter(&report->keys, key_of(records, record, &view), &number)) {
        report->rest[view.outcome.result]++;
        return;
    }
    if (report->details[number].count++ == 0)
        report->details[number].record = record;
}

/* Our side of the connection, where the options tell: the record does not. */
static bool
find_receiver(const struct settings *settings, const struct net_address *client,
              char out[NET_TEXT_MAX])
{
    sa_family_t family = client->sa.any.sa_family;
    struct net_address address;
    const char *only = NULL;

    if (net_is_loopback(client))
        only = family == AF_INET6 ? "::1" : "127.0.0.1";
    else if (settings->listen_count == 1)
        only = settings->listen[0];
    if (only == NULL || !net_numeric(only, 0, &address))
        return false;
    net_host_text(&address, out);
    return strcmp(out, "::") != 0 && strcmp(out, "0.0.0.0") != 0;
}

static json_t *
detail_json(const struct routes_context *context, const struct detail *detail)
{
    const struct record *record = detail->record;
    char test[4 * BINDINGS_NAME_MAX + 1] = "none";
    char text[sizeof test + 128];
    char client[NET_TEXT_MAX], receiver[NET_TEXT_MAX];
    struct record_view view;
    bool known;

    records_view(record, &view);
    known = find_receiver(context->settings, &view.event.client, receiver);
    if (record->test != NULL)
        log_escape(test, sizeof test, record->test, strlen(record->test));
    snprintf(text, sizeof text, "port %s, test %s", record->port, test);
    return json_pack(
        "{s:s, s:s, s:s, s:s*, s:I, s:s*, s:s}", "result-type",
        outcome_result_names[view.outcome.result], "sending-mta-ip",
        net_host_text(&view.event.client, client), "receiving-mx-hostname",
        context->settings->hostnames[0], "receiving-ip",
        known ? receiver : NULL, "failed-session-count",
        (json_int_t)detail->count, "failure-reason-code",
        view.outcome.code[0] != '\0' ? view.outcome.code : NULL,
        "additional-information", text);
}

static json_t *
rest_json(const struct routes_context *context, enum outcome_result result,
          uint64_t count)
{
    return json_pack("{s:s, s:s, s:I, s:s}", "result-type",
                     outcome_result_names[result], "receiving-mx-hostname",
                     context->settings->hostnames[0], "failed-session-count",
                     (json_int_t)count, "additional-information",
                     "other clients, ports and tests: too many to tell apart");
}

static json_t *
policy_json(const struct routes_context *context, const struct report *report)
{
    const char *hostname = context->settings->hostnames[0];
    json_t *details = json_array();

    for (size_t i = 0; i < report->keys.count; i++)
        json_array_append_new(details,
                              detail_json(context, &report->details[i]));
    for (int i = 0; i < RESULTS; i++)
        if (report->rest[i] > 0)
            json_array_append_new(details,
                                  rest_json(context, i, report->rest[i]));
    return json_pack(
        "{s:{s:s, s:[], s:s, s:[]}, s:{s:I, s:I}, s:o}", "policy",
        "policy-type", "no-policy-found", "policy-string", "policy-domain",
        hostname, "mx-host", "summary", "total-successful-session-count",
        (json_int_t)report->successes, "total-failure-session-count",
        (json_int_t)report->failures, "failure-details", details);
}

static json_t *
report_json(const struct routes_context *context, const struct report *report)
{
    const char *hostname = context->settings->hostnames[0];
    double now = routes_now();
    char contact[NET_HOST_MAX + 16], id[NET_HOST_MAX + 64];

    snprintf(contact, sizeof contact, "postmaster@%s", hostname);
    snprintf(id, sizeof id, "%.6f.%" PRIu64 "@%s", now,
             records_next(context->records), hostname);
    return json_pack(
        "{s:s, s:{s:o, s:o}, s:s, s:s, s:[o]}", "organization-name", "mapitest",
        "date-range", "start-datetime",
        account_time(report->first != 0 ? report->first : context->started),
        "end-datetime", account_time(now), "contact-info", contact, "report-id",
        id, "policies", policy_json(context, report));
}

/* True if the Accept header names the type (RFC 9110, 12.5.1). */
static bool
accepts(const char *header, const char *type)
{
    size_t length = strlen(type);

    while (*header != '\0') {
        header += strspn(header, " \t,");
        if (strncasecmp(header, type, length) == 0
            && strchr(" \t,;", header[length]) != NULL)
            return true;
        header += strcspn(header, ",");
    }
    return false;
}

/* Replace the body by itself in gzip's form (RFC 1952). */
static void
compress_body(struct http_reply *reply)
{
    z_stream stream = {.next_in = (Bytef *)reply->body,
                       .avail_in = (uInt)reply->length};
    uLong room;
    char *body;

    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
                     Z_DEFAULT_STRATEGY)
        != Z_OK)
        return; /* no memory: it stays as it is */
    room = deflateBound(&stream, (uLong)reply->length);
    body = malloc(room);
    stream.next_out = (Bytef *)body;
    stream.avail_out = (uInt)room;
    if (body != NULL && deflate(&stream, Z_FINISH) == Z_STREAM_END) {
        free(reply->body);
        reply->body = body;
        reply->length = stream.total_out;
        reply->type = GZIP_TYPE;
        body = NULL;
    }
    free(body);
    deflateEnd(&stream);
}

void
route_report(const struct routes_context *context,
             const struct http_request *request, struct http_reply *reply)
{
    const struct records *records = context->records;
    struct filter filter;
    struct report *report;

    if (!routes_filter(context, request, &filter, reply))
        return;
    report = calloc(1, sizeof *report);
    if (report == NULL || keyset_open(&report->keys, DETAILS_MAX) == -1) {
        routes_reply_error(reply, 503, "there is no memory for the answer");
        free(report);
        return;
    }
    for (uint64_t at = records_next(records); at-- > records_first(records);) {
        const struct record *record = records_get(records, at);

        if (filter_matches(&filter, record))
            add_record(report, records, record);
    }
    routes_reply_json(reply, report_json(context, report));
    reply->type = JSON_TYPE;
    keyset_close(&report->keys);
    free(report);
    if (reply->body != NULL && accepts(request->accept, GZIP_TYPE))
        compress_body(reply);
}
