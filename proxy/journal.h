/*
 * journal.h - a connection's line in the log
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_JOURNAL_H
#define PROXY_JOURNAL_H

#include <stddef.h>

#include "proxy/event.h"
#include "proxy/ports.h"

/* Write the line for an event of port `name` to the log, in either format; row
 * as in account.h. */
void journal_write(const struct event *event, const char *name,
                   const struct port_policy *row);

/* The line of the text format: port, peer, TLS, what happened.  Returns out. */
char *journal_line(const struct event *event, const char *name, char *out,
                   size_t room);

#endif
