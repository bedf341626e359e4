/*
 * conn.h - the life of one connection, from accept to its event
 *
 * A connection belongs to its worker and to nobody else.  It frees itself when
 * it is over, after its event was sent, and tells the worker so.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CONN_H
#define PROXY_CONN_H

#include <ev.h>
#include <openssl/ssl.h>
#include <stddef.h>

#include "base/net.h"
#include "proxy/board.h"
#include "proxy/pool.h"
#include "proxy/ports.h"
#include "proxy/settings.h"

struct conn;

#define BACKEND_ADDRESSES_MAX 8

/* Where the bytes of a port go. */
struct backend {
    struct net_address addresses[BACKEND_ADDRESSES_MAX]; /* tried in turn */
    int count;
    bool simulator; /* ours: it gets a PROXY header */
};

/* What a worker needs to serve a port. */
struct service {
    const struct port_policy *policy;
    uint16_t index;   /* in the layout: the port's number in events */
    SSL_CTX *context; /* NULL: no TLS */
    const struct backend *backend;
    char *last_message; /* what the simulator shall say last; NULL: its own */
};

/* What all connections of a worker share. */
struct conn_owner {
    struct ev_loop *loop;
    const struct timers *timers;
    struct board *board;
    struct process_slot *slot; /* this worker's counters */
    int events;                /* socket to control */
    struct pool pool;
    struct conn *first; /* all connections */
    size_t open;
    void (*closed)(struct conn_owner *); /* called after each one's end */
};

/*
 * Serve the connection fd, accepted from peer on the address local.  Takes fd,
 * whatever happens.
 */
void conn_open(struct conn_owner *owner, const struct service *service, int fd,
               const struct net_address *peer, const struct net_address *local);

/* Cut all connections: the drain time is over. */
void conn_cut_all(struct conn_owner *owner);

#endif
