/*
 * conn_state.h - a connection from the inside
 *
 * For conn.c, which gives it life, timers and an end, and conn_steps.c, which
 * knows what to do in each state.  Nobody else looks in here.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CONN_STATE_H
#define PROXY_CONN_STATE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "proxy/apology.h"
#include "proxy/conn.h"
#include "proxy/endpoint.h"
#include "proxy/event.h"
#include "proxy/flow.h"
#include "proxy/inbound.h"

enum conn_state {
    CONN_ANNOUNCE, /* a load balancer's PROXY header */
    CONN_HANDSHAKE,
    CONN_HELD,    /* nothing: the client is never answered */
    CONN_CONNECT, /* to the backend */
    CONN_RELAY,
    CONN_APOLOGY, /* the backend failed: the client is told in MAPI */
    CONN_LINGER,  /* ending: our last bytes out, the client's dropped */
    CONN_DONE,
};

enum step { STEP_WAIT, STEP_NEXT };

struct conn {
    struct conn_owner *owner;
    struct service *service;
    struct conn *previous, *next; /* in the owner's list */
    enum conn_state state;
    double entered; /* loop time at which state was */
    struct endpoint client, backend;
    struct flow up, down;
    struct progress progress; /* of the flows, to a simulator */
    ev_io client_io, backend_io;
    ev_timer timer;
    struct inbound inbound;
    enum port_deed deed;     /* still to be done */
    bool early;              /* counted in the service's */
    double connect_began;    /* loop time */
    bool admitted;           /* the gate has counted the client */
    bool turned_away;        /* by the gate: nothing more is told of it */
    bool path;               /* the backend is a Unix socket */
    bool queued;             /* which takes no more for now */
    bool unheard;            /* a real backend that has not said a byte yet */
    struct apology *apology; /* NULL: none */
    int attempt;             /* how many backend addresses have failed */
    int first_address;       /* the one that was tried first */
    double moved_at;         /* loop time of the last bytes either way */
    double stalled_at;     /* since when the client takes nothing; 0: it does */
    uint64_t stalled_sent; /* what it had taken by then */
    double accepted_at;    /* loop time */
    struct net_address local;
    bool ended; /* the event says how: the first cause counts */
    struct event event;
};

/* What to do in each state but CONN_DONE: until it waits, or state changes. */
extern enum step (*const conn_steps[])(struct conn *);

/* The only writer of c->state: a new state always has a new deadline. */
enum step conn_enter(struct conn *c, enum conn_state next);

/* The client is known, and speaks next: let it in, or enter CONN_DONE. */
enum step conn_greet(struct conn *c);

/* Something began that has a deadline of its own. */
void conn_set_timer(struct conn *c);

/* True if nothing more will come from the backend, or go to it: a client that
 * is silent from now on has not long. */
bool conn_is_half_over(const struct conn *c);

/* True if the client has not taken all that the backend has sent: what ends
 * now is cut off. */
bool conn_is_mid_stream(const struct conn *c);

/* Note how it ended, unless that is known already: the first cause counts. */
void conn_ends(struct conn *c, enum event_end end, int error);

/* The same for a backend that failed with the errno error. */
void conn_ends_backend(struct conn *c, int error);

/* Give up the backend address being tried; on to the next, if there is one. */
enum step conn_next_address(struct conn *c, int error);

/* The last address of the backend has failed, with an errno or VITALS_CLOSED:
 * the client is told. */
enum step conn_backend_failed(struct conn *c, int error);

/* What precedes the relay to a real backend; false without memory. */
bool conn_begin_login(struct conn *c);

/* The flows have run, and the backend was unheard: has it spoken, or died? */
enum step conn_listen(struct conn *c);

/* The step of CONN_APOLOGY. */
enum step conn_apologize(struct conn *c);

/* This port's counters in the worker's slot. */
struct port_counters *conn_counters(const struct conn *c);

/* Seconds since begin, a loop time. */
float conn_since(const struct conn *c, double begin);

#endif
