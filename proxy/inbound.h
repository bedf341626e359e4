/*
 * inbound.h - the PROXY header with which a load balancer announces a client
 *
 * Read from the socket byte by byte exactly, so that what follows, a
 * ClientHello perhaps, is still there for whom it is meant.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_INBOUND_H
#define PROXY_INBOUND_H

#include <stddef.h>
#include <stdint.h>

#include "base/net.h"

struct inbound {
    uint8_t *bytes; /* NULL before the first call */
    size_t length;
};

enum inbound_status {
    INBOUND_MORE,   /* wait until the socket is readable again */
    INBOUND_DONE,   /* *client is the real one, if the header names one */
    INBOUND_PROBE,  /* the connection ended before its first byte */
    INBOUND_BROKEN, /* it is no such header, or it is cut off: see *reason */
};

/* Read on; all memory is given back at the last call, that is, unless it
 * returns INBOUND_MORE. */
enum inbound_status
inbound_read(struct inbound *inbound, int fd, struct net_address *client,
             const char **reason);

/* Give the memory back in the middle. */
void inbound_drop(struct inbound *inbound);

#endif
