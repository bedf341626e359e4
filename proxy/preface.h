/*
 * preface.h - the PROXY header with which a connection reaches its backend
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
 * Write to out what is known of the connection, which reached us on the address
 * local (base/proxy2.h).  The port's name, the behaviour and the message to say
 * last are for the simulator; each may be NULL.  Returns the header's size; 0
 * if room is too small.
 */
size_t preface_write(const struct event *event, const struct net_address *local,
                     const char *port_name, const char *behaviour,
                     const char *last_message, uint8_t *out, size_t room);

#endif
