/* GET /api/status; see routes.h.  SPDX-License-Identifier: MPL-2.0 */
#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "proxy/routes.h"

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

        if (slot->kind != PROCESS_NONE)
            json_array_append_new(
                list, json_pack("{s:s, s:i, s:i, s:i, s:o}", "kind",
                                process_names[slot->kind], "index", slot->index,
                                "pid", (int)slot->pid, "restarts",
                                (int)slot->restarts, "started",
                                time_json((time_t)slot->started)));
    }
    return list;
}

static json_t *
number(const counter *c)
{
    return json_integer((json_int_t)counted(c));
}

static json_t *
port_json(const struct routes_context *context, size_t index)
{
    const struct port *port = &context->layout->ports[index];
    json_t *ended = json_object();
    struct port_counters sum;

    board_sum(context->board, index, &sum);
    for (int i = 0; i < BOARD_ENDS; i++)
        json_object_set_new(ended, event_end_names[i], number(&sum.ended[i]));
    return json_pack(
        "{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "port",
        layout_advertised(context->layout, port->number), "active",
        number(&sum.active), "accepted", number(&sum.accepted), "probes",
        number(&sum.probes), "handshakes", number(&sum.handshakes),
        "alerts_received", number(&sum.alerts), "ended", ended, "bytes_up",
        number(&sum.bytes_up), "bytes_down", number(&sum.bytes_down));
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
    for (size_t i = 0; i < context->layout->count; i++)
        json_object_set_new(ports, context->layout->ports[i].policy->name,
                            port_json(context, i));
    return json_pack(
        "{s:s, s:o, s:f, s:o, s:o, s:o, s:o, s:I}", "version", MAPITEST_VERSION,
        "started", time_json((time_t)board->started), "uptime_seconds",
        (double)now.tv_sec + (double)now.tv_usec / 1e6 - board->started,
        "processes", processes_json(board), "ports", ports, "certificates",
        certificates_json(context->store), "renewals", number(&board->renewals),
        "lost_records", (json_int_t)lost_events(board));
}
