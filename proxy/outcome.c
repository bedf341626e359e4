/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const alert_names[] = {
    [0] = "close-notify",
    [10] = "unexpected-message",
    [20] = "bad-record-MAC",
    [21] = "decryption-failed",
    [22] = "record-overflow",
    [30] = "decompression-failure",
    [40] = "handshake-failure",
    [42] = "bad-certificate",
    [43] = "unsupported-certificate",
    [44] = "revoked-certificate",
    [45] = "expired-certificate",
    [46] = "unknown-certificate",
    [47] = "illegal-parameter",
    [48] = "unknown-certificate-authority",
    [49] = "access-denied",
    [50] = "error-decoding-message",
    [51] = "error-decrypting-message",
    [60] = "export-restriction",
    [70] = "protocol-version-not-supported",
    [71] = "insufficient-security-level",
    [80] = "internal-error",
    [86] = "inappropriate-fallback",
    [90] = "user-canceled",
    [100] = "no-renegotiation",
    [109] = "missing-extension",
    [110] = "unsupported-extension",
    [111] = "certificate-unobtainable",
    [112] = "unrecognized-name",
    [113] = "bad-certificate-status-response",
    [114] = "bad-certificate-hash-value",
    [115] = "unknown-PSK-identity",
    [116] = "certificate-required",
    [120] = "no-application-protocol",
    [121] = "encrypted-client-hello-required",
};

const char *
outcome_alert_name(int alert)
{
    if (alert < 0 || alert >= (int)(sizeof alert_names / sizeof alert_names[0]))
        return NULL;
    return alert_names[alert];
}

static void
alert_text(int alert, char out[64])
{
    const char *name = outcome_alert_name(alert);

    snprintf(out, 64, "alert %d%s%s%s", alert, name != NULL ? " (" : "",
             name != NULL ? name : "", name != NULL ? ")" : "");
}

static const char *const no_tls[] = {
    [FIRST_NONE] = "too few bytes to be TLS",
    [FIRST_TLS] = "TLS",
    [FIRST_MAPI] = "plain MAPI, but this port wants TLS (monetdbs://)",
    [FIRST_HTTP] = "HTTP, but this port wants TLS and MAPI",
    [FIRST_OTHER] = "something that is no TLS",
};

static void
refused_sentence(const struct event *e, char *out, size_t room)
{
    char alert[64];

    if (e->alert_sent != EVENT_NO_ALERT) {
        alert_text(e->alert_sent, alert);
        snprintf(out, room, "refused with %s: %s", alert, e->reason);
    } else if (e->phase != PHASE_ANNOUNCE && e->tls && !e->handshake
               && e->first != FIRST_TLS) {
        snprintf(out, room, "refused: the client sent %s", no_tls[e->first]);
    } else {
        snprintf(out, room, "refused: %s", e->reason);
    }
}

static void
timeout_sentence(const struct event *e, char *out, size_t room)
{
    static const char *const sentences[] = {
        [PHASE_HANDSHAKE] = "timed out: the handshake did not complete",
        [PHASE_CONNECT] = "timed out connecting to the backend",
        [PHASE_FIRST_BYTE] = "timed out: the client sent nothing",
        [PHASE_RELAY] = "timed out: idle",
        [PHASE_STALL] = "timed out: the client does not read",
        [PHASE_HALF_CLOSED] = ("timed out: the backend was done and the client "
                               "did not close"),
        [PHASE_DRAIN] = "cut: mapitest is stopping",
        [PHASE_ANNOUNCE] = "timed out: the load balancer sent no whole PROXY "
                           "header",
    };

    snprintf(out, room, "%s", sentences[e->phase]);
}

static void
closed_sentence(const struct event *e, char *out, size_t room)
{
    const char *how = e->end == END_RESET ? "reset" : "closed";

    if (event_is_probe(e))
        snprintf(out, room, "probe: came and went without a byte");
    else if (e->tls && !e->handshake)
        snprintf(out, room, "the client %s the connection during the handshake",
                 how);
    else if (!e->tls && (e->first == FIRST_TLS || e->first == FIRST_HTTP))
        snprintf(out, room, "the client speaks %s, but this port is plain MAPI",
                 e->first == FIRST_TLS ? "TLS" : "HTTP");
    else if (e->end == END_RESET && e->error == ETIMEDOUT)
        snprintf(out, room, "the client's host does not answer any more");
    else if (e->end == END_RESET)
        snprintf(out, room, "the connection was reset");
    else if (e->tls && e->bytes_up == 0)
        snprintf(out, room,
                 "the client left after the handshake without "
                 "sending a byte");
    else if (e->tls && e->end == END_EOF)
        snprintf(out, room,
                 "completed, but the client closed without "
                 "close_notify");
    else
        snprintf(out, room, "completed");
}

char *
outcome_sentence(const struct event *e, char *out, size_t room)
{
    char alert[64];

    if (e->alert_received != EVENT_NO_ALERT) {
        alert_text(e->alert_received, alert);
        snprintf(out, room, "the client refused with %s%s", alert,
                 e->handshake ? " after the handshake" : "");
        return out;
    }
    switch (e->end) {
    case END_REFUSED:
        refused_sentence(e, out, room);
        break;
    case END_TIMEOUT:
        timeout_sentence(e, out, room);
        break;
    case END_BACKEND:
        snprintf(out, room, "backend %s: %s", e->backend, e->reason);
        break;
    case END_CLOSE_NOTIFY:
    case END_EOF:
    case END_RESET:
        closed_sentence(e, out, room);
        break;
    }
    return out;
}

enum log_level
outcome_level(const struct event *e)
{
    if (event_is_probe(e))
        return LOG_DEBUG;
    /* One that does not even answer is told once for many: vitals.h. */
    return e->end == END_BACKEND && e->bytes_down > 0 ? LOG_WARNING : LOG_INFO;
}
