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

const char *const outcome_origin_names[] = {
    [ORIGIN_CLIENT_ALERT] = "client alert",
    [ORIGIN_SERVER_ALERT] = "server alert",
    [ORIGIN_CLIENT_HANGUP] = "client hang-up",
    [ORIGIN_TIMEOUT] = "timeout",
    [ORIGIN_NOT_TLS] = "not TLS",
    [ORIGIN_BACKEND] = "backend",
    [ORIGIN_POLICY] = "policy",
    [ORIGIN_ORDERLY] = "orderly",
};

const char *const outcome_result_names[] = {
    [RESULT_SUCCESS] = NULL,
    [RESULT_CERTIFICATE_EXPIRED] = "certificate-expired",
    [RESULT_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
    [RESULT_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
    [RESULT_VALIDATION_FAILURE] = "validation-failure",
};

enum event_mapi
outcome_mapi(const struct event *e)
{
    if (e->framed)
        return e->mapi;
    if (e->bytes_up > 0 && e->bytes_down > 0
        && (e->end == END_CLOSE_NOTIFY || e->end == END_EOF))
        return MAPI_COMPLETE;
    if (e->bytes_up > 0)
        return MAPI_RESPONSE;
    return e->bytes_down > 0 ? MAPI_CHALLENGE : MAPI_NONE;
}

/* The phase is told of what ended by a timer, and of a PROXY header. */
static bool
is_stopped(const struct event *e)
{
    return e->end == END_TIMEOUT && e->phase == PHASE_DRAIN;
}

bool
outcome_is_ours(const struct event *e)
{
    return e->end == END_BACKEND || is_stopped(e) || e->phase == PHASE_ANNOUNCE;
}

/* The client's handshake, as far as it knows, is not complete. */
static bool
is_unfinished(const struct event *e)
{
    return e->tls ? !e->handshake : e->first == FIRST_TLS;
}

static void
fails(struct outcome *out, enum outcome_origin origin, const char *code)
{
    out->origin = origin;
    out->result = RESULT_VALIDATION_FAILURE;
    snprintf(out->code, sizeof out->code, "%s", code);
}

static void
fails_by_alert(struct outcome *out, enum outcome_origin origin, int alert)
{
    const char *name = outcome_alert_name(alert);

    fails(out, origin, "");
    snprintf(out->code, sizeof out->code, "tls-%s-alert-%d%s%s",
             origin == ORIGIN_CLIENT_ALERT ? "remote" : "local", alert,
             name != NULL ? "-" : "", name != NULL ? name : "");
}

/* These are what clients send on a name that is not theirs (environment.md);
 * none of them proves it. */
static bool
may_mean_a_name(int alert)
{
    return alert == 40 || alert == 42 || alert == 46 || alert == 80;
}

static void
refused_by_client(const struct event *e, const struct port_policy *row,
                  struct outcome *out)
{
    fails_by_alert(out, ORIGIN_CLIENT_ALERT, e->alert_received);
    if (e->alert_received == 45) {
        out->result = RESULT_CERTIFICATE_EXPIRED;
    } else if (e->alert_received == 48) {
        out->result = RESULT_CERTIFICATE_NOT_TRUSTED;
    } else if (row != NULL && row->wrong_name
               && may_mean_a_name(e->alert_received)) {
        out->result = RESULT_CERTIFICATE_HOST_MISMATCH;
        out->inferred = true;
    }
}

static void
left_by_client(const struct event *e, struct outcome *out)
{
    /* Its host did not answer any more: that is TCP's deadline. */
    bool lost = e->end == END_RESET && e->error == ETIMEDOUT;

    if (is_unfinished(e) && lost) {
        fails(out, ORIGIN_TIMEOUT, "io-timeout-during-handshake");
    } else if (is_unfinished(e)) {
        fails(out, ORIGIN_CLIENT_HANGUP, "connection-closed-during-handshake");
    } else {
        out->silent = e->tls && e->bytes_up == 0;
        if (lost)
            out->origin = ORIGIN_TIMEOUT;
        else
            out->origin = outcome_mapi(e) == MAPI_COMPLETE
                              ? ORIGIN_ORDERLY
                              : ORIGIN_CLIENT_HANGUP;
    }
}

static void
ended_by_timer(const struct event *e, struct outcome *out)
{
    if (is_stopped(e) && is_unfinished(e))
        fails(out, ORIGIN_POLICY, "connection-cut-by-server");
    else if (is_stopped(e))
        out->origin = ORIGIN_POLICY;
    else if (is_unfinished(e))
        fails(out, ORIGIN_TIMEOUT, "io-timeout-during-handshake");
    else
        out->origin = ORIGIN_TIMEOUT;
}

void
outcome_classify(const struct event *e, const struct port_policy *row,
                 struct outcome *out)
{
    bool no_tls = e->tls && !e->handshake && e->first != FIRST_TLS
                  && e->first != FIRST_NONE;

    *out = (struct outcome){.result = RESULT_SUCCESS};
    if (event_is_probe(e)) {
        out->probe = true;
    } else if (e->alert_received != EVENT_NO_ALERT) {
        refused_by_client(e, row, out);
    } else if (e->alert_sent != EVENT_NO_ALERT) {
        fails_by_alert(out, ORIGIN_SERVER_ALERT, e->alert_sent);
    } else if (e->phase == PHASE_ANNOUNCE) {
        /* What came was the load balancer's, not the client's. */
        fails(out, e->end == END_TIMEOUT ? ORIGIN_TIMEOUT : ORIGIN_POLICY,
              "proxy-header-error");
    } else if (no_tls) {
        fails(out, ORIGIN_NOT_TLS, "tls-record-header-error");
    } else {
        switch (e->end) {
        case END_TIMEOUT:
            ended_by_timer(e, out);
            break;
        case END_CLOSE_NOTIFY:
        case END_EOF:
        case END_RESET:
            left_by_client(e, out);
            break;
        case END_BACKEND:
            out->origin = ORIGIN_BACKEND;
            break;
        case END_REFUSED:
            fails(out, ORIGIN_POLICY, "connection-closed-by-policy");
            break;
        }
    }
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
