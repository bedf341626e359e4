/*
 * urgent.h - TCP urgent data at a plain end: MonetDB's query interrupt
 *
 * It stays in the stream (net_keep_urgent()), where the kernel knows its place;
 * a read never goes past that place in one piece.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_URGENT_H
#define PROXY_URGENT_H

#include "proxy/endpoint.h"

/* True if the next byte to read is urgent.  To know it for certain costs two
 * system calls. */
bool urgent_is_next(struct endpoint *end);

/* Send the one byte in `from` as urgent data; a socket that knows none drops
 * it. */
enum io urgent_write(struct endpoint *end, struct buf *from);

#endif
