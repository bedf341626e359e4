/*
 * buf.h - a byte queue of fixed capacity
 *
 * Bytes go in at the end and come out at the front.  The storage belongs to
 * whoever called buf_init() and outlives the queue; nothing here allocates.
 * A full queue is how backpressure is made: it never grows.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *storage;
    size_t capacity;
    size_t head;   /* where the first queued byte is */
    size_t length; /* queued bytes */
};

/* Make buf an empty queue over storage of capacity bytes. */
void buf_init(struct buf *buf, void *storage, size_t capacity);

/* How many more bytes the queue can take. */
size_t buf_room(const struct buf *buf);

/*
 * The free space at the end, for a reader to fill: buf_room() bytes in one
 * piece.  May move the queued bytes, so pointers from buf_peek() become
 * invalid.
 */
uint8_t *buf_space(struct buf *buf);

/* Declare that n bytes, at most buf_room(), were written to buf_space(). */
void buf_commit(struct buf *buf, size_t n);

/* Queue a copy of n bytes; false, and nothing queued, if there is no room. */
bool buf_append(struct buf *buf, const void *bytes, size_t n);

/* The queued bytes: buf->length of them, valid until the next change. */
const uint8_t *buf_peek(const struct buf *buf);

/* Drop the first n bytes, at most buf->length. */
void buf_consume(struct buf *buf, size_t n);

#endif
