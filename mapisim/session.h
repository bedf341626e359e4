/*
 * session.h - the life of one client at the simulator (contract.md, section 3)
 *
 * PROXY header (if configured), challenge, response, last message, orderly
 * close.  A session owns its socket and frees itself when it is over; it needs
 * a fixed amount of memory, whatever the client sends.
 *
 * The pool is what the sessions of one event loop share.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef MAPISIM_SESSION_H
#define MAPISIM_SESSION_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "base/salt.h"
#include "mapisim/ending.h"

#define SESSION_RESPONSE_MAX 65536 /* payload bytes of a client's response */
#define SESSION_REPLY_MAX    4096  /* longest last message */

struct session;

/* The strings belong to the caller and outlive the pool. */
struct session_config {
    bool proxy_protocol;   /* expect a PROXY header first */
    const char *name;      /* PORTNAME, unless a PROXY header tells it */
    const char *reply;     /* last message, unless a PROXY header tells it, at
                              most SESSION_REPLY_MAX; NULL: the apology */
    double header_seconds; /* from accept to the end of the PROXY header */
    double login_seconds;  /* from the challenge to the end of the response */
};

struct session_pool {
    struct ev_loop *loop;
    struct session_config config;
    struct session *first; /* the open sessions */
    size_t open;
    unsigned closes; /* since memory went back to the system */
    uint64_t ends[ENDINGS];
    struct salt_pool salts;
    /* Called after a session was freed; may be NULL. */
    void (*on_end)(struct session_pool *pool);
    void *data; /* for on_end */
};

/* Make pool an empty one. */
void session_pool_init(struct session_pool *pool, struct ev_loop *loop,
                       const struct session_config *config);

/*
 * Start a session on a connected, non-blocking socket, which it then owns, even
 * if it cannot start.  What the client can be told is sent before this returns.
 */
void session_start(struct session_pool *pool, int fd,
                   const struct net_address *peer);

/* End all sessions at once. */
void session_pool_close(struct session_pool *pool);

#endif
