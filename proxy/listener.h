/*
 * listener.h - a worker's listening sockets: accept, and know when not to
 *
 * When no descriptors are left, all listeners of the worker rest: connections
 * wait in the kernel's queue, where they cost nothing, until others close. They
 * wait there too while too many handshakes are unfinished, of the port or of
 * the worker.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_LISTENER_H
#define PROXY_LISTENER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "proxy/conn.h"

struct listener {
    ev_io io;
    struct listeners *all;
    struct service *service;
    struct net_address address; /* as bound */
    bool any_address;           /* 0.0.0.0 or :: */
    bool waiting;               /* for unfinished handshakes of its port */
};

struct listeners {
    struct conn_owner *owner;
    struct listener *list;
    size_t count;
    size_t most;  /* connections that descriptors suffice for */
    bool stopped; /* for good: the worker is draining */
    bool resting;
    bool waiting;     /* for unfinished handshakes: all listeners, or some */
    ev_timer rest;    /* after EMFILE and its like */
    double warned_at; /* loop time of the last warning */
};

/* Add a listener on socket fd, which it owns from now on, to the count in list,
 * which has room for it. */
void listeners_add(struct listeners *all, int fd, struct service *service);

/* Begin to accept, for owner; most is worked out from the limit of open files
 * and those open now. */
void listeners_start(struct listeners *all, struct conn_owner *owner);

/* A connection has closed: accept again if that was being waited for. */
void listeners_closed_one(struct listeners *all);

/* So has a handshake ended, well or not. */
void listeners_shaken_one(struct listeners *all);

/* Never accept again: close the sockets.  Whom they queue is served by another
 * process that has them open too, or refused if there is none. */
void listeners_stop(struct listeners *all);

#endif
