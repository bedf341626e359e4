/*
 * advice.h - what the author of a client that failed should do
 *
 * Pure: the last part of a verdict's sentence.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_ADVICE_H
#define PROXY_ADVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/course.h"
#include "proxy/event.h"
#include "proxy/ports.h"

/*
 * "verify the host name before you log in".  With connect the client should
 * have connected, and took this course instead; without, it has logged in where
 * it should not have.  row is NULL for an operator's own port.  Returns out.
 */
char *advice_write(bool connect, enum course course, const struct event *event,
                   const struct port_policy *row, char *out, size_t room);

#endif
