/* GET /api/status; see routes.h.  SPDX-License-Identifier: MPL-2.0 */
#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "proxy/routes.h"
#include "proxy/vitals.h"

static json_t *
time_json(time_t when)
{
    char text[32];
    struct tm utc;

    gmtime_r(&when, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string(text);
}

static json_t *
asn1_time_json(const ASN1_TIME *time)
{
    struct tm utc;

    if (ASN1_TIME_to_tm(time, &utc) != 1)
        return json_null();
    return time_json(timegm(&utc));
}

static json_t *
processes_json(const struct board *board)
{
    json_t *list = json_array();

    for (size_t i = 0; i < BOARD_SLOTS; i++) {
        const struct process_slot *slot = &board->slots[i];

        if (slot->kind != PROCESS_NONE && slot->pid != 0) /* just starting */
            json_array_append_new(
                list,
                json_pack("{s:s, s:s?, s:i, s:i, s:i, s:i, s:o, s:s?}", "kind",
                          process_names[slot->kind], "crew",
                          slot->kind == PROCESS_WORKER ? crew_names[slot->crew]
                                                       : NULL,
                          "index", slot->index, "edition", (int)slot->edition,
                          "pid", (int)slot->pid, "restarts",
                          (int)slot->restarts, "started",
                          time_json((time_t)slot->started), "sandbox",
                          slot->kind == PROCESS_SIMULATOR
                              ? NULL
                              : sandbox_names[slot->sandbox]));
    }
    return list;
}

static json_t *
number(const counter *c)
{
    return json_integer((json_int_t)counted(c));
}

/* A limit, 0 for none, and how often it was reached. */
static json_t *
limit_json(unsigned limit, uint64_t reached)
{
    return json_pack("{s:o, s:I}", "limit",
                     limit == 0 ? json_null() : json_integer(limit), "reached",
                     (json_int_t)reached);
}

static json_t *
vitals_json(const struct vitals *vitals)
{
    uint64_t state = counted(&vitals->state);
    uint64_t since = counted(&vitals->since);
    uint64_t failed = counted(&vitals->failed);
    int error = (int)counted(&vitals->error);

    return json_pack(
        "{s:s, s:o, s:I, s:s?}", "state",
        vitals_names[state <= VITALS_FAILING ? state : VITALS_UNKNOWN], "since",
        since == 0 ? json_null() : time_json((time_t)since), "failed",
        (json_int_t)failed, "last_error",
        failed == 0 ? NULL : vitals_error_text(error));
}

static json_t *
port_json(const struct routes_context *context, size_t index)
{
    const struct chart_port *port = &context->chart->ports[index];
    const struct limits *limits = &port->limits;
    bool is_simulator = strcmp(port->backend, "simulator") == 0;
    json_t *ended = json_object();
    struct port_counters sum;

    board_sum(context->board, index, &sum);
    for (int i = 0; i < BOARD_ENDS; i++)
        json_object_set_new(ended, event_end_names[i], number(&sum.ended[i]));
    return json_pack(
        "{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}}",
        "port", chart_number(context->chart, port), "backend",
        is_simulator ? json_null()
                     : vitals_json(&context->board->vitals[index]),
        "active", number(&sum.active), "accepted", number(&sum.accepted),
        "probes", number(&sum.probes), "handshakes", number(&sum.handshakes),
        "alerts_received", number(&sum.alerts), "ended", ended, "bytes_up",
        number(&sum.bytes_up), "bytes_down", number(&sum.bytes_down), "limits",
        limit_names[LIMIT_CONNECTIONS],
        limit_json(limits->connections,
                   counted(&sum.limited[LIMIT_CONNECTIONS])),
        limit_names[LIMIT_PER_CLIENT],
        limit_json(limits->per_client, counted(&sum.limited[LIMIT_PER_CLIENT])),
        limit_names[LIMIT_HANDSHAKES],
        limit_json(limits->handshakes,
                   counted(&sum.limited[LIMIT_HANDSHAKES])));
}

/* What holds for all ports of a crew together. */
static json_t *
crew_json(const struct routes_context *context, enum crew crew)
{
    const struct limits *limits = &context->chart->limits[crew];
    uint64_t reached = 0;

    for (size_t i = 0; i < PORTS_MAX; i++) {
        struct port_counters sum;

        if (context->chart->ports[i].crew != crew)
            continue;
        board_sum(context->board, i, &sum);
        reached += counted(&sum.limited[LIMIT_ALL]);
    }
    return json_pack(
        "{s:I, s:o, s:o, s:o}", "active",
        (json_int_t)board_open(context->board, crew), "connections",
        limit_json(limits->connections, reached), "connections_per_client",
        limits->per_client == 0 ? json_null()
                                : json_integer(limits->per_client),
        "handshakes",
        limits->handshakes == 0 ? json_null()
                                : json_integer(limits->handshakes));
}

static json_t *
http_json(const struct routes_context *context)
{
    static const struct http_counters nothing;
    const struct http_counters *n =
        context->http != NULL ? context->http : &nothing;

    return json_pack(
        "{s:I, s:o, s:I, s:I}", "active", (json_int_t)n->open, "connections",
        limit_json(context->settings->http_connections, n->waited), "refused",
        (json_int_t)n->refused, "cut", (json_int_t)n->cut);
}

static json_t *
limits_json(const struct routes_context *context)
{
    json_t *all = json_object();

    for (int c = 0; c < CREW_COUNT; c++)
        json_object_set_new(all, crew_names[c], crew_json(context, c));
    json_object_set_new(all, "http", http_json(context));
    return all;
}

static json_t *
reload_json(const struct chart_reloads *reloads)
{
    return json_pack(
        "{s:i, s:i, s:o, s:s?}", "done", (int)reloads->done, "failed",
        (int)reloads->failed, "last",
        reloads->last == 0 ? json_null() : time_json((time_t)reloads->last),
        "error", reloads->error[0] != '\0' ? reloads->error : NULL);
}

static json_t *
certificate_json(const struct store_file *file)
{
    const unsigned char *at = file->bytes;
    X509 *x509 = d2i_X509(NULL, &at, (long)file->length);
    json_t *json = json_null();
    char hash[65];

    if (x509 != NULL) {
        cert_hash(x509, hash);
        json =
            json_pack("{s:o, s:o, s:s}", "not_before",
                      asn1_time_json(X509_get0_notBefore(x509)), "not_after",
                      asn1_time_json(X509_get0_notAfter(x509)), "sha256", hash);
    }
    X509_free(x509);
    return json;
}

static json_t *
certificates_json(const struct store *store)
{
    json_t *all = json_object();

    for (size_t i = 0; i < store->count; i++) {
        const struct store_file *file = &store->files[i];
        const char *dot = strrchr(file->name, '.');
        char name[64];

        if (dot == NULL || strcmp(dot, ".der") != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(dot - file->name),
                 file->name);
        json_object_set_new(all, name, certificate_json(file));
    }
    return all;
}

static uint64_t
lost_events(const struct board *board)
{
    uint64_t lost = 0;

    for (size_t i = 0; i < BOARD_SLOTS; i++)
        lost += counted(&board->slots[i].lost_events);
    return lost;
}

json_t *
status_json(const struct routes_context *context)
{
    const struct board *board = context->board;
    json_t *ports = json_object();
    struct timeval now;

    gettimeofday(&now, NULL);
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (context->chart->ports[i].open)
            json_object_set_new(ports, context->chart->ports[i].name,
                                port_json(context, i));
    return json_pack(
        "{s:s, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "version",
        MAPITEST_VERSION, "started", time_json((time_t)board->started),
        "uptime_seconds",
        (double)now.tv_sec + (double)now.tv_usec / 1e6 - board->started,
        "processes", processes_json(board), "ports", ports, "limits",
        limits_json(context), "reload", reload_json(&context->chart->reloads),
        "certificates", certificates_json(context->store), "renewals",
        number(&board->renewals), "lost_records",
        (json_int_t)lost_events(board));
}
