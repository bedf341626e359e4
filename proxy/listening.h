/*
 * listening.h - one address that is listened on, with a socket for each worker
 *
 * The kernel spreads connections over the sockets (SO_REUSEPORT).  As the
 * master keeps them open, the queue of a worker that dies waits for its
 * successor, and workers of a new configuration take over the very same ones:
 * editions share a listening, and the last one that lets go closes it.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_LISTENING_H
#define PROXY_LISTENING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/net.h"

struct listening {
    unsigned users;
    char name[64];              /* of the port that asked for it */
    struct net_address asked;   /* its port may be 0: any */
    struct net_address address; /* as bound */
    bool single; /* systemd's one socket, which all workers accept from */
    size_t count;
    int fds[]; /* one for each worker */
};

/*
 * Listen on the address for the port of that name with `each` sockets.  Returns
 * a listening with one user, or NULL with errno set.
 */
struct listening *
listening_open(const struct net_address *asked, const char *name, size_t each);

/* The same listening for one user more. */
struct listening *listening_share(struct listening *listening);

/* One user less; the last one's going closes the sockets.  NULL does nothing.
 */
void listening_release(struct listening *listening);

/* Notice clients that vanish, also those that have yet to receive something;
 * see net_set_keepalive().  Returns 0, or -1 with errno set. */
int listening_set_keepalive(const struct listening *listening, double seconds,
                            double unsent);

#endif
