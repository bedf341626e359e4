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

/* The same for a bulk transfer: the fewer and larger its sends, the cheaper. */
#define POOL_BULK (64 * 16384)

/* What the records of a chunk take beyond their plaintext. */
#define POOL_RECORDS(chunk) ((chunk) + (chunk) / 16 + 1024)

/* Blocks are made for records: the larger of the two things they hold. */
#define POOL_BLOCK      POOL_RECORDS(POOL_CHUNK)
#define POOL_BULK_BLOCK POOL_RECORDS(POOL_BULK)

#define POOL_KEEP      16 /* spare blocks kept for reuse */
#define POOL_BULK_KEEP 2
#define POOL_BULK_MAX  4 /* bulk blocks that are lent at once */

struct pool {
    void *spare[POOL_KEEP];
    int spares;
    void *bulk_spare[POOL_BULK_KEEP];
    int bulk_spares;
    int bulk_lent;
};

/* Give buf storage of capacity bytes, at most POOL_BLOCK, unless it has some.
 * False if there is no memory. */
bool pool_lend(struct pool *pool, struct buf *buf, size_t capacity);

/*
 * Give buf storage of at most POOL_BULK_BLOCK bytes, unless it has some.  False
 * if all bulk blocks are lent: many clients that stall in the middle of a bulk
 * transfer must not hold more than the worker has for all.
 */
bool pool_lend_bulk(struct pool *pool, struct buf *buf, size_t capacity);

/* True if buf has a bulk block. */
bool pool_is_bulk(const struct buf *buf);

/* Take buf's storage back, whatever it holds; nothing if it has none. */
void pool_return(struct pool *pool, struct buf *buf);

/* Free the spare blocks. */
void pool_clear(struct pool *pool);

#endif
