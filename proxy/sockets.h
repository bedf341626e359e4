/*
 * sockets.h - all listening sockets, which only the master makes and keeps
 *
 * Every port has, for every address, a socket of its own for each worker; the
 * kernel spreads connections over them (SO_REUSEPORT).  As the master keeps
 * them open, the queue of a worker that dies waits for its successor.  The base
 * port has one socket for each address.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_SOCKETS_H
#define PROXY_SOCKETS_H

#include <stddef.h>

#include "proxy/layout.h"
#include "proxy/settings.h"

#define SOCKETS_ADDRESSES_MAX SETTINGS_LIST_MAX

struct sockets {
    struct net_address address[SOCKETS_ADDRESSES_MAX]; /* port 0 */
    size_t addresses;
    size_t workers;
    size_t ports;
    int base[SOCKETS_ADDRESSES_MAX];
    int *fds; /* [port][address][worker] */
};

/*
 * Bind everything that layout lists, and fill in the numbers that were 0.
 * Returns 0, or -1 with the culprit named in the log and nothing left open.
 */
int sockets_open(struct sockets *sockets, struct layout *layout,
                 const struct settings *settings);

/* The socket of a port, an address and a worker, each by its index. */
int sockets_get(const struct sockets *sockets, size_t port, size_t address,
                int worker);

/* Close all. */
void sockets_close(struct sockets *sockets);

#endif
