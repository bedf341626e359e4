/*
 * held.h - HTTP requests that wait for something to happen
 *
 * Each has a place, of which there are few, and few for one client: whoever can
 * have one address has all of its /64.  It loses the place when its time is
 * over, when somebody wakes it, or when its client has ended its side, which is
 * watched here, as libmicrohttpd does not look at a suspended connection.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_HELD_H
#define PROXY_HELD_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "proxy/client.h"

#define HELD_MOST      64
#define HELD_OF_CLIENT 4

/* Called once for each held request, whatever ended its wait. */
typedef void held_over(void *request);

struct held {
    struct holding *all;
    ev_timer timer;
    int fd; /* the connection's; not owned */
    struct client client;
    void *wanted;  /* allocated, owned: what it waits for */
    void *request; /* whose it is; NULL: the place is free */
};

struct holding {
    struct ev_loop *loop;
    held_over *over;
    size_t most, count;
    int epoll; /* of the clients' sockets: only their ends */
    ev_io ends;
    struct held places[HELD_MOST];
};

/* No request is held, and at most HELD_MOST or `most` will be.  -1 with errno
 * set. */
int holding_open(struct holding *all, struct ev_loop *loop, size_t most,
                 held_over *over);

/* True if there is a place for a request of this client's. */
bool
holding_has_place(const struct holding *all, const struct net_address *client);

/*
 * Hold a request for so many seconds.  Takes wanted over.  False if there is no
 * place, or no memory: it is not held, and `over` is not called.
 */
bool
holding_begin(struct holding *all, void *request, int fd,
              const struct net_address *client, double seconds, void *wanted);

/* End the waits of all requests that want the news; NULL: of all requests. */
typedef bool held_wants(const void *wanted, const void *news);
void holding_wake(struct holding *all, held_wants *wants, const void *news);

/* None may be held any more. */
void holding_close(struct holding *all);

#endif
