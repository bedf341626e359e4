/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/account.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "proxy/outcome.h"

/* Every byte may become four: \xHH. */
#define ESCAPED_ROOM (4 * 255 + 1)

json_t *
account_bytes(const void *bytes, size_t length)
{
    char escaped[ESCAPED_ROOM];

    if (length == 0)
        return json_null();
    return json_string(log_escape(escaped, sizeof escaped, bytes, length));
}

static json_t *
bytes_json(const struct event_bytes *bytes)
{
    return account_bytes(bytes->bytes, bytes->length);
}

/* What no JSON can hold, a text that is not UTF-8 or no number, only comes from
 * a worker that is not itself any more: it is left out, not the record. */
static json_t *
or_null(json_t *json)
{
    return json != NULL ? json : json_null();
}

static json_t *
text_json(const char *text)
{
    return text == NULL || *text == '\0' ? json_null()
                                         : or_null(json_string(text));
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
    return seconds < 0 ? json_null() : or_null(json_real((double)seconds));
}

static json_t *
via_json(const struct event *e)
{
    char via[NET_TEXT_MAX];

    if (e->via.length == 0)
        return json_null();
    return json_string(net_text(&e->via, via));
}

json_t *
account_time(double when)
{
    time_t seconds = (time_t)when;
    char date[32];
    char text[64];
    struct tm utc;

    if (gmtime_r(&seconds, &utc) == NULL)
        return json_null();
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, sizeof text, "%s.%03dZ", date,
             (int)((when - (double)seconds) * 1000));
    return json_string(text);
}

json_t *
account_json(const struct event *e, const char *name,
             const struct port_policy *row)
{
    char client[NET_TEXT_MAX];
    struct outcome outcome;
    json_t *seconds = json_pack("{s:o, s:o, s:o}", "handshake",
                                seconds_json(e->handshake_seconds), "backend",
                                seconds_json(e->backend_seconds), "total",
                                seconds_json(e->total_seconds));

    outcome_classify(e, row, &outcome);
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
