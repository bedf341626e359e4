/*
 * account.h - an event as JSON, for the log and for HTTP
 *
 * New references.  Everything that a peer sent is escaped by log_escape(), so
 * that it does no harm in a terminal either.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_ACCOUNT_H
#define PROXY_ACCOUNT_H

#include <jansson.h>
#include <stddef.h>

#include "proxy/event.h"
#include "proxy/ports.h"

/* What the log has of a connection; port is the name of its port, row that of
 * the port table, NULL for an operator's own port. */
json_t *account_json(const struct event *event, const char *port,
                     const struct port_policy *row);

/* "2026-11-21T06:40:00.123Z", from seconds since 1970. */
json_t *account_time(double when);

/* Bytes from a peer, escaped; null if there are none. */
json_t *account_bytes(const void *bytes, size_t length);

#endif
