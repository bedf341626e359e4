/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/journal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "proxy/outcome.h"

/* Every byte may become four: \xHH. */
#define ESCAPED_ROOM (4 * 255 + 1)

static void append(char *out, size_t room, size_t *used, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

static void
append(char *out, size_t room, size_t *used, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(out + *used, room - *used, format, args);
    va_end(args);
    if (n > 0)
        *used += (size_t)n < room - *used ? (size_t)n : room - *used - 1;
}

static void
append_tls(const struct event *e, char *out, size_t room, size_t *used)
{
    const char *version = event_tls_version(e);
    char escaped[ESCAPED_ROOM];

    if (version != NULL)
        append(out, room, used, " %s %s", version, e->cipher);
    if (e->resumed)
        append(out, room, used, " resumed");
    if (e->sni.length > 0)
        append(
            out, room, used, " sni=\"%s\"",
            log_escape(escaped, sizeof escaped, e->sni.bytes, e->sni.length));
    if (e->alpn_selected.length > 0)
        append(out, room, used, " alpn=\"%s\"",
               log_escape(escaped, sizeof escaped, e->alpn_selected.bytes,
                          e->alpn_selected.length));
    if (e->client_certificate)
        append(out, room, used, " client=\"%s\"",
               log_escape(escaped, sizeof escaped, e->client_subject.bytes,
                          e->client_subject.length));
}

char *
journal_line(const struct event *e, const char *name, char *out, size_t room)
{
    char client[NET_TEXT_MAX];
    char sentence[512];
    size_t used = 0;

    append(out, room, &used, "%s %s", name, net_text(&e->client, client));
    if (e->via.length != 0)
        append(out, room, &used, " via %s", net_text(&e->via, client));
    append_tls(e, out, room, &used);
    append(out, room, &used, ": %s",
           outcome_sentence(e, sentence, sizeof sentence));
    if (!event_is_probe(e))
        append(out, room, &used,
               " (%" PRIu64 " bytes up, %" PRIu64 " down, %.3f s)", e->bytes_up,
               e->bytes_down, (double)e->total_seconds);
    return out;
}

static json_t *
bytes_json(const struct event_bytes *bytes)
{
    char escaped[ESCAPED_ROOM];

    if (bytes->length == 0)
        return json_null();
    return json_string(
        log_escape(escaped, sizeof escaped, bytes->bytes, bytes->length));
}

static json_t *
text_json(const char *text)
{
    return text == NULL || *text == '\0' ? json_null() : json_string(text);
}

static json_t *
client_certificate_json(const struct event *e)
{
    char hex[65];

    if (!e->client_certificate)
        return json_null();
    for (size_t i = 0; i < sizeof e->client_sha256; i++)
        snprintf(hex + 2 * i, 3, "%02x", e->client_sha256[i]);
    return json_pack("{s:o, s:s}", "subject", bytes_json(&e->client_subject),
                     "sha256", hex);
}

static json_t *
tls_json(const struct event *e)
{
    if (!e->tls)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "version",
                     text_json(event_tls_version(e)), "cipher",
                     text_json(e->cipher), "group", text_json(e->group), "sni",
                     bytes_json(&e->sni), "alpn", bytes_json(&e->alpn_selected),
                     "resumed", e->resumed, "client_certificate",
                     client_certificate_json(e));
}

static json_t *
alert_json(int alert)
{
    return alert == EVENT_NO_ALERT ? json_null() : json_integer(alert);
}

static json_t *
seconds_json(float seconds)
{
    return seconds < 0 ? json_null() : json_real((double)seconds);
}

static json_t *
via_json(const struct event *e)
{
    char via[NET_TEXT_MAX];

    if (e->via.length == 0)
        return json_null();
    return json_string(net_text(&e->via, via));
}

static json_t *
event_json(const struct event *e, const char *name)
{
    char client[NET_TEXT_MAX];
    struct outcome outcome;
    json_t *seconds = json_pack("{s:o, s:o, s:o}", "handshake",
                                seconds_json(e->handshake_seconds), "backend",
                                seconds_json(e->backend_seconds), "total",
                                seconds_json(e->total_seconds));

    /* No port of the operator's own has the name of one in the table. */
    outcome_classify(e, port_find(name), &outcome);
    return json_pack(
        "{s:s, s:I, s:s, s:s, s:i, s:o, s:s, s:o, s:b, s:o, s:o, s:I, s:I, "
        "s:s, s:s, s:o, s:o, s:o, s:b, s:o, s:o}",
        "event", "connection", "id", (json_int_t)e->id, "port", name, "client",
        net_host_text(&e->client, client), "client_port", net_port(&e->client),
        "via", via_json(e), "first", event_first_names[e->first], "tls",
        tls_json(e), "handshake", e->handshake, "alert_received",
        alert_json(e->alert_received), "alert_sent", alert_json(e->alert_sent),
        "bytes_up", (json_int_t)e->bytes_up, "bytes_down",
        (json_int_t)e->bytes_down, "mapi", event_mapi_names[e->mapi], "end",
        event_end_names[e->end], "origin",
        text_json(outcome.probe ? NULL : outcome_origin_names[outcome.origin]),
        "result_type", text_json(outcome_result_names[outcome.result]),
        "failure_reason_code", text_json(outcome.code), "probe",
        event_is_probe(e), "backend", text_json(e->backend), "seconds",
        seconds);
}

void
journal_write(const struct event *event, const char *name)
{
    enum log_level level = outcome_level(event);
    char line[4096];

    if (log_wants(level))
        log_record(level, journal_line(event, name, line, sizeof line),
                   log_has_fields() ? event_json(event, name) : NULL);
}
