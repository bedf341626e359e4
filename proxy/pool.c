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

void
pool_return(struct pool *pool, struct buf *buf)
{
    if (buf->storage == NULL)
        return;
    if (pool->spares < POOL_KEEP)
        pool->spare[pool->spares++] = buf->storage;
    else
        free(buf->storage);
    buf_init(buf, NULL, 0);
}

void
pool_clear(struct pool *pool)
{
    while (pool->spares > 0)
        free(pool->spare[--pool->spares]);
}
