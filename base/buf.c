/* SPDX-License-Identifier: MPL-2.0 */
#include "base/buf.h"

#include <string.h>

void
buf_init(struct buf *buf, void *storage, size_t capacity)
{
    *buf = (struct buf){.storage = storage, .capacity = capacity};
}

size_t
buf_room(const struct buf *buf)
{
    return buf->capacity - buf->length;
}

uint8_t *
buf_space(struct buf *buf)
{
    if (buf->head > 0) {
        memmove(buf->storage, buf->storage + buf->head, buf->length);
        buf->head = 0;
    }
    return buf->storage + buf->length;
}

void
buf_commit(struct buf *buf, size_t n)
{
    buf->length += n;
}

bool
buf_append(struct buf *buf, const void *bytes, size_t n)
{
    if (n > buf_room(buf))
        return false;
    if (n > 0)
        memcpy(buf_space(buf), bytes, n);
    buf->length += n;
    return true;
}

const uint8_t *
buf_peek(const struct buf *buf)
{
    return buf->storage + buf->head;
}

void
buf_consume(struct buf *buf, size_t n)
{
    buf->head += n;
    buf->length -= n;
    if (buf->length == 0)
        buf->head = 0;
}
