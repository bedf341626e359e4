/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/advice.h"

#include <stdio.h>
#include <string.h>

struct advice {
    int alert;
    const char *text;
};

/* Alerts of ours, and what a client does to get past them. */
static const struct advice on_alert_sent[] = {
    {40, "offer what TLS 1.3 demands of every client"},
    {42, "show a client certificate that is valid"},
    {45, "show a client certificate that has not expired"},
    {46, "show a client certificate that is valid"},
    {48, "show a client certificate of the CA that the port asks for"},
    {51, "show a client certificate together with its own key"},
    {70, "speak the TLS version of this port"},
    {112, "send a server name (SNI) that is one of the host names"},
    {116, "show a client certificate"},
};

static const char *
on_server_alert(int alert)
{
    for (size_t i = 0; i < sizeof on_alert_sent / sizeof on_alert_sent[0]; i++)
        if (on_alert_sent[i].alert == alert)
            return on_alert_sent[i].text;
    return "keep to the TLS protocol";
}

/* A client that did not like what it was shown. */
static void
trust(const struct port_policy *row, char *out, size_t room)
{
    bool file =
        row != NULL && row->ca != NULL && strcmp(row->ca, "system") != 0;

    snprintf(out, room, "verify with %s, and by a name in the certificate",
             file ? row->ca : "the CA that has issued the certificate");
}

static const char *
to_connect(enum course course, const struct event *event,
           const struct port_policy *row)
{
    switch (course) {
    case COURSE_NO_TLS:
        return "connect by TLS (monetdbs://)";
    case COURSE_TLS_ON_PLAIN:
        return "connect without TLS (monetdb://)";
    case COURSE_SERVER_ALERT:
        return on_server_alert(event->alert_sent);
    case COURSE_POLICY:
        return row != NULL && row->alpn_required ? "offer ALPN mapi/9"
                                                 : "keep to this port's rule";
    case COURSE_RESPONSE:
        return "read on until the last message has come";
    case COURSE_DATA:
    case COURSE_LEFT:
    case COURSE_TIMEOUT:
        return event->tls && !event->handshake ? "complete the handshake"
                                               : "answer the challenge";
    case COURSE_CLIENT_ALERT:
        if (event->alert_received == 45)
            return "set the clock right, the certificate is valid today";
        if (event->alert_received == 70)
            return "speak the TLS version of this port";
        break;
    case COURSE_HANGUP:
    case COURSE_SILENT:
    case COURSE_PROBE:
    case COURSE_COMPLETE:
    case COURSE_OURS:
    case COURSE_COUNT:
        break;
    }
    return NULL;
}

static const char *
to_refuse(const struct event *event, const struct port_policy *row)
{
    if (!event->tls)
        return "do not log in without TLS";
    if (row != NULL && row->wrong_name)
        return "verify the host name before you log in";
    if (row != NULL && row->tls_max != 0 && row->tls_max < PORT_TLS_1_3)
        return "demand TLS 1.3 before you log in";
    if (row != NULL && row->expect == EXPECT_REFUSE)
        return "verify the certificate before you log in";
    return "verify the certificate and the host name before you log in";
}

char *
advice_write(bool connect, enum course course, const struct event *event,
             const struct port_policy *row, char *out, size_t room)
{
    const char *text =
        connect ? to_connect(course, event, row) : to_refuse(event, row);

    if (text != NULL)
        snprintf(out, room, "%s", text);
    else
        trust(row, out, room);
    return out;
}
