/*
 * backend.h - where the bytes of a port go
 *
 * Names are resolved when the program or a configuration begins, and again and
 * again by the resolver process; a connection tries the addresses in turn.
 *
 * Of a Unix socket, the address has the family alone and, as its port, the
 * position of the target, from 1, whose host is the path: addresses travel
 * between processes, and stay small.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_BACKEND_H
#define PROXY_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "proxy/settings.h"

#define BACKEND_ADDRESSES_MAX 16

struct backend {
    const struct target *targets; /* none: the simulator */
    size_t target_count;
    struct net_address addresses[BACKEND_ADDRESSES_MAX]; /* tried in turn */
    uint8_t
        owners[BACKEND_ADDRESSES_MAX]; /* which target's, from 1; 0: any's */
    int count;
    bool simulator; /* ours: it gets a PROXY header */
};

/*
 * Resolve all targets, which blocks; addresses come in the order of targets.
 * Of a target that cannot be resolved the old ones stay; it is logged with
 * whose it is ("-b", "port 'sales'"), unless that is NULL.  Returns how many
 * there are of these, or -1 if there is not a single address.
 */
int backend_resolve(struct backend *backend, const char *whose);

/* Begin to connect to the address in that position; as net_connect(). */
int backend_connect(const struct backend *backend, int position);

/* True if that is a Unix socket. */
bool backend_is_path(const struct backend *backend, int position);

/* What it is called in records: of a long path, the end.  Returns out. */
char *backend_text(const struct backend *backend, int position,
                   char out[NET_TEXT_MAX]);

/*
 * True if host, a name or a number, and port are one of the targets, or one of
 * the addresses that they have now.  Nothing is resolved.
 */
bool
backend_is_at(const struct backend *backend, const char *host, uint16_t port);

/* True if a target is a name, whose addresses may change. */
bool backend_has_names(const struct backend *backend);

#endif
