/*
 * pool.h - a worker's relay buffers
 *
 * A connection borrows a block while it has bytes in flight and gives it back
 * when they are gone, so that idle connections hold none, and the same few
 * blocks, warm in the cache, serve all of them.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_POOL_H
#define PROXY_POOL_H

#include "base/buf.h"

/* Plaintext of one turn: a whole number of full TLS records. */
#define POOL_CHUNK (4 * 16384)

/* A block also holds that plaintext's records, each with header and tag. */
#define POOL_BLOCK (POOL_CHUNK + 1024)

#define POOL_KEEP 16 /* spare blocks kept for reuse */

struct pool {
    void *spare[POOL_KEEP];
    int spares;
};

/* Give buf storage of capacity bytes, at most POOL_BLOCK, unless it has some.
 * False if there is no memory. */
bool pool_lend(struct pool *pool, struct buf *buf, size_t capacity);

/* Take buf's storage back, whatever it holds; nothing if it has none. */
void pool_return(struct pool *pool, struct buf *buf);

/* Free the spare blocks. */
void pool_clear(struct pool *pool);

#endif
