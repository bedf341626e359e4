/*
 * preface.h - the PROXY header with which a connection reaches the simulator
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_PREFACE_H
#define PROXY_PREFACE_H

#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "proxy/event.h"

/*
 * Write to out what is known of the connection (base/proxy2.h), the port's name
 * and, unless it is NULL, the message that the simulator shall say last.
 * Returns the header's size; 0 if room is too small.
 */
size_t preface_write(const struct event *event, const char *port_name,
                     const char *last_message, const struct net_address *local,
                     uint8_t *out, size_t room);

#endif
