/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/course.h"

#include <stdio.h>

static enum course
by_origin(const struct event *e, const struct outcome *outcome)
{
    switch (outcome->origin) {
    case ORIGIN_CLIENT_ALERT:
        return COURSE_CLIENT_ALERT;
    case ORIGIN_SERVER_ALERT:
        return COURSE_SERVER_ALERT;
    case ORIGIN_NOT_TLS:
        return COURSE_NO_TLS;
    case ORIGIN_BACKEND:
        return COURSE_OURS;
    case ORIGIN_POLICY:
        return COURSE_POLICY;
    case ORIGIN_TIMEOUT:
        return COURSE_TIMEOUT;
    case ORIGIN_CLIENT_HANGUP:
    case ORIGIN_ORDERLY:
        break;
    }
    if (outcome->silent)
        return COURSE_SILENT;
    return e->tls ? COURSE_HANGUP : COURSE_LEFT;
}

enum course
course_of(const struct event *e, const struct outcome *outcome)
{
    enum event_mapi reached = outcome_mapi(e);

    if (outcome->probe)
        return COURSE_PROBE;
    if (!e->tls && e->first == FIRST_TLS)
        return COURSE_TLS_ON_PLAIN;
    if (reached == MAPI_COMPLETE)
        return COURSE_COMPLETE;
    if (reached == MAPI_RESPONSE)
        return COURSE_RESPONSE;
    if (e->tls && e->handshake && e->bytes_up > 0)
        return COURSE_DATA;
    if (outcome->origin != ORIGIN_CLIENT_ALERT
        && outcome->origin != ORIGIN_SERVER_ALERT && outcome_is_ours(e))
        return COURSE_OURS;
    return by_origin(e, outcome);
}

static const char *
ours_words(const struct event *e)
{
    if (e->end == END_BACKEND)
        return "the backend failed";
    return e->phase == PHASE_ANNOUNCE
               ? "the load balancer sent no good PROXY header"
               : "the server was stopped";
}

static const char *
no_tls_words(const struct event *e)
{
    switch (e->first) {
    case FIRST_MAPI:
        return "the client sent plain MAPI where TLS is wanted";
    case FIRST_HTTP:
        return "the client sent plain HTTP where TLS is wanted";
    case FIRST_NONE:
    case FIRST_TLS:
    case FIRST_OTHER:
        break;
    }
    return "the client sent something that is no TLS where TLS is wanted";
}

static const char *const words[COURSE_COUNT] = {
    [COURSE_PROBE] = "somebody looked whether the port is open",
    [COURSE_TLS_ON_PLAIN] = "the client spoke TLS where plain MAPI is wanted",
    [COURSE_COMPLETE] = "the client completed the MAPI exchange",
    [COURSE_RESPONSE] = "the client sent its MAPI response",
    [COURSE_DATA] = "the client sent application data",
    [COURSE_POLICY] = "the server closed the connection by this port's rule",
    [COURSE_TIMEOUT] = "the client neither went on nor left until the server "
                       "gave up",
    [COURSE_HANGUP] = "the client hung up during the handshake, without an "
                      "alert",
    [COURSE_SILENT] = "the client left after the handshake, without an alert",
    [COURSE_LEFT] = "the client left without a MAPI response",
};

char *
course_words(enum course course, const struct event *e, char *out, size_t room)
{
    bool client = course == COURSE_CLIENT_ALERT;
    int alert = client ? e->alert_received : e->alert_sent;
    const char *name = outcome_alert_name(alert);

    if (client || course == COURSE_SERVER_ALERT)
        snprintf(out, room, "the %s refused with alert %d%s%s%s%s",
                 client ? "client" : "server", alert, name != NULL ? " (" : "",
                 name != NULL ? name : "", name != NULL ? ")" : "",
                 e->handshake ? " after the handshake" : "");
    else if (course == COURSE_OURS)
        snprintf(out, room, "%s", ours_words(e));
    else if (course == COURSE_NO_TLS)
        snprintf(out, room, "%s", no_tls_words(e));
    else
        snprintf(out, room, "%s", words[course]);
    return out;
}
