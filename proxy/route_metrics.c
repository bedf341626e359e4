/*
 * GET /metrics: Prometheus' text format 0.0.4; see routes.h.
 *
 * A family of metrics is a row.  Labels are names of ours and of the operator's
 * ports: nothing of a peer's is in them.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proxy/routes.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What a family's writer needs. */
struct scrape {
    FILE *out;
    const struct routes_context *context;
    const char *family;
    const struct port_counters *ports; /* sums, by index */
    size_t offset;                     /* of the family's counter in them */
};

static void
put_label(const struct scrape *s, const char *name, const char *value)
{
    fprintf(s->out, "%s=\"", name);
    for (; *value != '\0'; value++)
        if (*value == '\n')
            fputs("\\n", s->out);
        else if (*value == '\\' || *value == '"')
            fprintf(s->out, "\\%c", *value);
        else
            fputc(*value, s->out);
    fputc('"', s->out);
}

/* A sample of a port, with one more label unless its name is NULL. */
static void
put_port(const struct scrape *s, size_t port, const char *name,
         const char *value, uint64_t number)
{
    fprintf(s->out, "%s{", s->family);
    put_label(s, "port", s->context->chart->ports[port].name);
    if (name != NULL) {
        fputc(',', s->out);
        put_label(s, name, value);
    }
    fprintf(s->out, "} %" PRIu64 "\n", number);
}

static bool
is_open(const struct scrape *s, size_t port)
{
    return s->context->chart->ports[port].open;
}

static void
put_counters(const struct scrape *s)
{
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (is_open(s, i))
            put_port(s, i, NULL, NULL,
                     counted((const counter *)((const char *)&s->ports[i]
                                               + s->offset)));
}

static void
put_ended(const struct scrape *s)
{
    for (size_t i = 0; i < PORTS_MAX; i++)
        for (int end = 0; is_open(s, i) && end < BOARD_ENDS; end++)
            put_port(s, i, "end", event_end_names[end],
                     counted(&s->ports[i].ended[end]));
}

static void
put_limited(const struct scrape *s)
{
    for (size_t i = 0; i < PORTS_MAX; i++)
        for (int limit = 0; is_open(s, i) && limit < LIMIT_COUNT; limit++)
            put_port(s, i, "limit", limit_names[limit],
                     counted(&s->ports[i].limited[limit]));
}

static void
put_verdicts(const struct scrape *s)
{
    for (size_t i = 0; i < PORTS_MAX; i++)
        for (int v = 0; is_open(s, i) && v <= VERDICT_OPEN; v++)
            put_port(s, i, "verdict", verdict_names[v],
                     records_counters(s->context->records, i)->verdicts[v]);
}

static void
put_revised(const struct scrape *s)
{
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (is_open(s, i))
            put_port(s, i, NULL, NULL,
                     records_counters(s->context->records, i)->revised);
}

/* Those that have happened: there are 40 of each port. */
static void
put_outcomes(const struct scrape *s)
{
    for (size_t i = 0; i < PORTS_MAX; i++)
        for (int origin = 0; is_open(s, i) && origin <= ORIGIN_ORDERLY;
             origin++)
            for (int result = 0; result <= RESULT_VALIDATION_FAILURE;
                 result++) {
                uint64_t n = records_counters(s->context->records, i)
                                 ->outcomes[origin][result];
                const char *name = outcome_result_names[result];

                if (n == 0)
                    continue;
                fprintf(s->out, "%s{", s->family);
                put_label(s, "port", s->context->chart->ports[i].name);
                fputc(',', s->out);
                put_label(s, "origin", outcome_origin_names[origin]);
                fputc(',', s->out);
                put_label(s, "result", name != NULL ? name : "success");
                fprintf(s->out, "} %" PRIu64 "\n", n);
            }
}

static void
put_info(const struct scrape *s)
{
    fprintf(s->out, "%s{version=\"%s\"} 1\n", s->family, MAPITEST_VERSION);
}

static void
put_started(const struct scrape *s)
{
    fprintf(s->out, "%s %.3f\n", s->family, s->context->board->started);
}

static void
put_http(const struct scrape *s)
{
    const struct http_counters *http = s->context->http;

    fprintf(s->out, "%s %lu\n", s->family, http != NULL ? http->open : 0);
}

static void
put_held(const struct scrape *s)
{
    const struct http_counters *http = s->context->http;

    fprintf(s->out, "%s %lu\n", s->family, http != NULL ? http->held : 0);
}

static void
put_lost(const struct scrape *s)
{
    uint64_t lost = 0;

    for (size_t i = 0; i < BOARD_SLOTS; i++)
        lost += counted(&s->context->board->slots[i].lost_events);
    fprintf(s->out, "%s %" PRIu64 "\n", s->family, lost);
}

static void
put_kept(const struct scrape *s)
{
    fprintf(s->out, "%s %" PRIu64 "\n", s->family,
            records_next(s->context->records)
                - records_first(s->context->records));
}

#define OF_PORT(field) put_counters, offsetof(struct port_counters, field)

/* Sums of what processes counted go back if one dies with what it had open:
 * only that is a gauge. */
static const struct {
    const char *name;
    const char *type;
    const char *help;
    void (*put)(const struct scrape *);
    size_t offset;
} families[] = {
    {"mapitest_info", "gauge", "The version that runs.", put_info, 0},
    {"mapitest_start_time_seconds", "gauge", "When it started.", put_started,
     0},
    {"mapitest_connections_active", "gauge", "Connections that are open now.",
     OF_PORT(active)},
    {"mapitest_connections_accepted_total", "counter",
     "Connections that were accepted.", OF_PORT(accepted)},
    {"mapitest_probes_total", "counter",
     "Connections that left without a byte.", OF_PORT(probes)},
    {"mapitest_handshakes_total", "counter",
     "TLS handshakes that were completed.", OF_PORT(handshakes)},
    {"mapitest_alerts_received_total", "counter",
     "TLS alerts by which clients refused.", OF_PORT(alerts)},
    {"mapitest_connections_ended_total", "counter",
     "Connections that have ended, probes left out, by how.", put_ended, 0},
    {"mapitest_received_bytes_total", "counter",
     "Application bytes from clients.", OF_PORT(bytes_up)},
    {"mapitest_sent_bytes_total", "counter", "Application bytes to clients.",
     OF_PORT(bytes_down)},
    {"mapitest_limits_reached_total", "counter",
     "Times that a limit was reached.", put_limited, 0},
    {"mapitest_outcomes_total", "counter",
     "Sessions by who ended them and RFC 8460's result type.", put_outcomes, 0},
    {"mapitest_verdicts_total", "counter",
     "Sessions by the first verdict on them.", put_verdicts, 0},
    {"mapitest_verdicts_revised_total", "counter",
     "Verdicts that became fail by what the client did next.", put_revised, 0},
    {"mapitest_records", "gauge", "Records that are kept.", put_kept, 0},
    {"mapitest_records_lost_total", "counter",
     "Records that did not fit into the channel.", put_lost, 0},
    {"mapitest_http_connections_active", "gauge",
     "HTTP connections that are open now.", put_http, 0},
    {"mapitest_http_requests_held", "gauge",
     "HTTP requests that wait for a record.", put_held, 0},
};

void
route_metrics(const struct routes_context *context,
              const struct http_request *request, struct http_reply *reply)
{
    static struct port_counters sums[PORTS_MAX];
    struct scrape scrape = {.context = context, .ports = sums};

    (void)request;
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (context->chart->ports[i].open)
            board_sum(context->board, i, &sums[i]);
    scrape.out = open_memstream(&reply->body, &reply->length);
    if (scrape.out == NULL)
        return;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        scrape.family = families[i].name;
        scrape.offset = families[i].offset;
        fprintf(scrape.out, "# HELP %s %s\n# TYPE %s %s\n", families[i].name,
                families[i].help, families[i].name, families[i].type);
        families[i].put(&scrape);
    }
    if (fclose(scrape.out) != 0)
        return;
    reply->status = 200;
    reply->type = METRICS_TYPE;
}
