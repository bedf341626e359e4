/* SPDX-License-Identifier: MPL-2.0 */
#include "base/frame.h"

#include "base/wire.h"

#define LAST_BIT 1

void
frame_begin(struct frame_reader *reader, size_t limit)
{
    *reader = (struct frame_reader){.limit = limit};
}

/* The block's header is complete: judge it before any of its payload. */
static enum frame_status
open_block(struct frame_reader *reader)
{
    struct wire_reader r = wire_reader(reader->header, FRAME_HEADER_SIZE);
    unsigned value = (unsigned)wire_le(&r, FRAME_HEADER_SIZE);

    reader->last = value & LAST_BIT;
    reader->block_left = value >> 1;
    if (reader->block_left > FRAME_BLOCK_MAX)
        return FRAME_BAD_BLOCK;
    if (reader->block_left > reader->limit - reader->length)
        return FRAME_TOO_LONG;
    return FRAME_MORE;
}

static enum frame_status
close_block(struct frame_reader *reader)
{
    if (reader->last) {
        frame_begin(reader, reader->limit);
        return FRAME_COMPLETE;
    }
    reader->header_have = 0;
    reader->started = reader->length > 0;
    return FRAME_MORE;
}

static size_t
take_payload(struct frame_reader *reader, size_t available)
{
    size_t n = reader->block_left < available ? reader->block_left : available;

    reader->block_left -= n;
    reader->length += n;
    return n;
}

enum frame_status
frame_read(struct frame_reader *reader, const uint8_t *bytes, size_t length,
           size_t *taken)
{
    enum frame_status status = FRAME_MORE;
    size_t at = 0;

    while (at < length && status == FRAME_MORE) {
        if (reader->header_have < FRAME_HEADER_SIZE) {
            reader->started = true;
            reader->header[reader->header_have++] = bytes[at++];
            if (reader->header_have < FRAME_HEADER_SIZE)
                continue;
            status = open_block(reader);
        } else {
            at += take_payload(reader, length - at);
        }
        if (status == FRAME_MORE && reader->block_left == 0)
            status = close_block(reader);
    }
    *taken = at;
    return status;
}

bool
frame_at_boundary(const struct frame_reader *reader)
{
    return !reader->started;
}

size_t
frame_write(uint8_t *out, size_t room, const void *payload, size_t length)
{
    return frame_write_blocks(out, room, payload, length, FRAME_BLOCK_MAX);
}

size_t
frame_write_blocks(uint8_t *out, size_t room, const void *payload,
                   size_t length, size_t block)
{
    struct wire_writer w = wire_writer(out, room);
    const uint8_t *at = payload;
    size_t left = length;

    do {
        size_t n = left < block ? left : block;

        wire_put_le(&w, n << 1 | (n == left ? LAST_BIT : 0), FRAME_HEADER_SIZE);
        wire_put(&w, at, n);
        if (n > 0)
            at += n;
        left -= n;
    } while (left > 0 && !w.failed);
    return w.failed ? 0 : room - w.left;
}
