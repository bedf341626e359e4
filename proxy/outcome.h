/*
 * outcome.h - facts to words: who ended a connection, and how
 *
 * Pure.  Alerts have the names that RFC 8460 reason codes use for them
 * (outcomes.md), which cover codes that OpenSSL's own table lacks.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_OUTCOME_H
#define PROXY_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "proxy/event.h"
#include "proxy/ports.h"

/* Who ended it. */
enum outcome_origin {
    ORIGIN_CLIENT_ALERT,
    ORIGIN_SERVER_ALERT,
    ORIGIN_CLIENT_HANGUP,
    ORIGIN_TIMEOUT,
    ORIGIN_NOT_TLS,
    ORIGIN_BACKEND,
    ORIGIN_POLICY, /* a rule of the port, without an alert */
    ORIGIN_ORDERLY,
};

/* RFC 8460, 4.3: result types. */
enum outcome_result {
    RESULT_SUCCESS,
    RESULT_CERTIFICATE_EXPIRED,
    RESULT_CERTIFICATE_NOT_TRUSTED,
    RESULT_CERTIFICATE_HOST_MISMATCH, /* only ever inferred */
    RESULT_VALIDATION_FAILURE,
};

struct outcome {
    bool probe; /* no session: the rest means nothing */
    enum outcome_origin origin;
    enum outcome_result result;
    bool silent;   /* "connection-closed-after-handshake": without a byte */
    bool inferred; /* the result, from what is wrong with the port */
    char code[64]; /* failure-reason-code; "": none */
};

/* "client alert" ...; "certificate-expired" ..., NULL for RESULT_SUCCESS. */
extern const char *const outcome_origin_names[];
extern const char *const outcome_result_names[];

/*
 * Classify by the table of outcomes.md, in its order.  row is that of the port
 * in the port table, NULL for an operator's own port.
 *
 * The result tells of TLS alone: whatever ends a connection after an unharmed
 * handshake, the backend or a timer for instance, leaves it a success, and the
 * origin says who it was.  What a rule of the port closes is a failure, and so
 * is TLS on a plain port, where the client's handshake cannot end.
 */
void outcome_classify(const struct event *event, const struct port_policy *row,
                      struct outcome *out);

/*
 * How far the exchange came.  Of a backend that is not the simulator only bytes
 * are known: any from the client stand for a response, any to it for the
 * challenge, and with both an orderly end for all of it.
 */
enum event_mapi outcome_mapi(const struct event *event);

/* True if it ended by a fault or decision of ours, or of what stands before or
 * behind us: it tells nothing of the client. */
bool outcome_is_ours(const struct event *event);

/* "unknown-certificate-authority" for 48; NULL for a number without a name. */
const char *outcome_alert_name(int alert);

/*
 * One sentence on how the connection ended, fit for a log line: everything in
 * it that a peer sent is escaped.  Returns out.
 */
char *outcome_sentence(const struct event *event, char *out, size_t room);

/* How loud: a backend that fails is somebody's work to mend, a client that is
 * refused is what a test port is for, and a probe is nothing. */
enum log_level outcome_level(const struct event *event);

#endif
