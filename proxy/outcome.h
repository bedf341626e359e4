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

#include <stddef.h>

#include "base/log.h"
#include "proxy/event.h"

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
