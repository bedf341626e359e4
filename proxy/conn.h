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
#include "base/salt.h"
#include "proxy/backend.h"
#include "proxy/gate.h"
#include "proxy/guard.h"
#include "proxy/networks.h"
#include "proxy/outbox.h"
#include "proxy/pool.h"
#include "proxy/ports.h"
#include "proxy/settings.h"

struct conn;

/* What a worker needs to serve a port. */
struct service {
    const struct port_policy *policy;
    struct gate_port port; /* its name, index and limits */
    SSL_CTX *context;      /* NULL: no TLS */
    struct backend *backend;
    char *last_message; /* what the simulator shall say last; NULL: its own */
    const struct timers *timers;
    const struct networks *accept_proxy; /* who must send a PROXY header */
    bool send_proxy;                     /* the backend gets one */
    enum redirects redirects;            /* out of TLS, at login */
    bool connect_early;                  /* while the handshake runs */

    unsigned handshakes;  /* unfinished now */
    unsigned early;       /* of these, who hold a backend connection */
    int first;            /* the backend's address that is tried first */
    double first_expires; /* loop time: then it is number 0 again */
};

/* What all connections of a worker share. */
struct conn_owner {
    struct ev_loop *loop;
    struct gate gate;
    struct outbox outbox; /* to control */
    struct pool pool;
    struct salt_pool salts;
    struct conn *first; /* all connections */
    size_t open;
    unsigned handshakes;                 /* unfinished, over all services */
    void (*shaken)(struct conn_owner *); /* called after each handshake's end */
    void (*closed)(struct conn_owner *); /* called after each one's end */
};

/* True if TCP urgent data is passed on as such: what it accepts must keep it in
 * the stream. */
static inline bool
conn_relays_urgent(const struct service *service)
{
    return service->context == NULL && !service->backend->simulator;
}

/*
 * Serve the connection fd, accepted from peer on the address local.  Takes fd,
 * whatever happens.
 */
void conn_open(struct conn_owner *owner, struct service *service, int fd,
               const struct net_address *peer, const struct net_address *local);

/* Cut all connections: the drain time is over. */
void conn_cut_all(struct conn_owner *owner);

#endif
