/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/pool.h"

#include <stdlib.h>

bool
pool_lend(struct pool *pool, struct buf *buf, size_t capacity)
{
    void *block;

    if (buf->storage != NULL)
        return true;
    block = pool->spares > 0 ? pool->spare[--pool->spares] : malloc(POOL_BLOCK);
    if (block == NULL)
        return false;
    buf_init(buf, block, capacity);
    return true;
}

bool
pool_lend_bulk(struct pool *pool, struct buf *buf, size_t capacity)
{
    void *block;

    if (buf->storage != NULL)
        return true;
    if (pool->bulk_lent == POOL_BULK_MAX)
        return false;
    block = pool->bulk_spares > 0 ? pool->bulk_spare[--pool->bulk_spares]
                                  : malloc(POOL_BULK_BLOCK);
    if (block == NULL)
        return false;
    pool->bulk_lent++;
    buf_init(buf, block, capacity);
    return true;
}

bool
pool_is_bulk(const struct buf *buf)
{
    return buf->capacity > POOL_BLOCK;
}

void
pool_return(struct pool *pool, struct buf *buf)
{
    if (buf->storage == NULL)
        return;
    if (pool_is_bulk(buf)) {
        pool->bulk_lent--;
        if (pool->bulk_spares < POOL_BULK_KEEP)
            pool->bulk_spare[pool->bulk_spares++] = buf->storage;
        else
            free(buf->storage);
    } else if (pool->spares < POOL_KEEP) {
        pool->spare[pool->spares++] = buf->storage;
    } else {
        free(buf->storage);
    }
    buf_init(buf, NULL, 0);
}

void
pool_clear(struct pool *pool)
{
    while (pool->spares > 0)
        free(pool->spare[--pool->spares]);
    while (pool->bulk_spares > 0)
        free(pool->bulk_spare[--pool->bulk_spares]);
}
