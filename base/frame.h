/*
 * frame.h - MAPI messages and their blocks (contract.md, section 3)
 *
 * A block is a 2-byte little-endian header, (length << 1) | last, and `length`
 * bytes of payload, at most FRAME_BLOCK_MAX.  A message is all blocks up to and
 * including the first whose last bit is set.  Empty blocks that are not last
 * are legal anywhere: plain clients begin with four of them (8 NUL bytes).
 *
 * Pure: no sockets, no allocation, any split of the bytes gives the same
 * result.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_SIZE 2
#define FRAME_BLOCK_MAX   8190

enum frame_status {
    FRAME_MORE,      /* all bytes taken, the message goes on */
    FRAME_COMPLETE,  /* the message's last byte was taken */
    FRAME_BAD_BLOCK, /* a header announces more than FRAME_BLOCK_MAX bytes */
    FRAME_TOO_LONG,  /* the message exceeds the reader's limit */
};

/* Where in a message a stream of bytes stands. */
struct frame_reader {
    size_t limit;      /* longest message accepted, payload bytes */
    size_t length;     /* payload bytes of this message so far */
    size_t block_left; /* payload bytes of this block still to come */
    uint8_t header[FRAME_HEADER_SIZE];
    uint8_t header_have; /* header bytes read, FRAME_HEADER_SIZE in a payload */
    bool started;        /* a byte of this message was taken, leading empty
                            blocks aside */
    bool last;           /* this block ends the message */
};

/* Begin at the first byte of a message of at most limit bytes of payload. */
void frame_begin(struct frame_reader *reader, size_t limit);

/*
 * Take bytes up to the end of the message or of the bytes.  *taken is how many
 * were; after FRAME_COMPLETE the reader stands at the beginning of the next
 * message.  After FRAME_BAD_BLOCK and FRAME_TOO_LONG it must not be used again.
 */
enum frame_status frame_read(struct frame_reader *reader, const uint8_t *bytes,
                             size_t length, size_t *taken);

/*
 * True between messages: an end of file here cuts nothing off.  Whole empty
 * blocks before the first byte of payload do not begin a message.
 */
bool frame_at_boundary(const struct frame_reader *reader);

/*
 * Write payload as one message of as many blocks as it needs to out; returns
 * the bytes written, or 0 if room is too small.
 */
size_t
frame_write(uint8_t *out, size_t room, const void *payload, size_t length);

/* The same with blocks of at most `block` bytes, 1 to FRAME_BLOCK_MAX. */
size_t frame_write_blocks(uint8_t *out, size_t room, const void *payload,
                          size_t length, size_t block);

#endif
