/*
 * fuzz_frame.c - MAPI blocks: any split gives the same messages
 *
 * Input: one byte for the limit, one for the size of the pieces, the stream.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "tests/fuzz/fuzz.h"

/* What became of a stream. */
struct result {
    enum frame_status status; /* of the last call */
    size_t messages;
    size_t taken;
    bool boundary;
};

/* The stream in pieces of at most n bytes, up to the first error. */
static struct result
read_in_pieces(const uint8_t *bytes, size_t length, size_t limit, size_t n)
{
    struct result result = {.status = FRAME_MORE, .boundary = true};
    struct frame_reader reader;

    frame_begin(&reader, limit);
    while (result.taken < length) {
        size_t left = length - result.taken;
        size_t piece = n < left ? n : left;
        size_t taken;

        result.status =
            frame_read(&reader, bytes + result.taken, piece, &taken);
        REQUIRE(taken > 0 && taken <= piece);
        result.taken += taken;
        REQUIRE(reader.length <= limit);
        if (result.status == FRAME_COMPLETE) {
            result.messages++;
            REQUIRE(frame_at_boundary(&reader));
        } else if (result.status == FRAME_MORE) {
            REQUIRE(taken == piece);
        } else {
            return result;
        }
    }
    result.boundary = frame_at_boundary(&reader);
    return result;
}

/* The same by the book (contract.md, section 3), on the whole stream. */
static struct result
by_the_book(const uint8_t *bytes, size_t length, size_t limit)
{
    struct result result = {.status = FRAME_MORE, .boundary = true};
    size_t payload = 0;
    size_t at = 0;

    while (length - at >= FRAME_HEADER_SIZE) {
        unsigned header = bytes[at] | (unsigned)bytes[at + 1] << 8;
        size_t block = header >> 1;

        at += FRAME_HEADER_SIZE;
        if (block > 8190 || block > limit - payload) {
            result.status = block > 8190 ? FRAME_BAD_BLOCK : FRAME_TOO_LONG;
            result.taken = at;
            return result;
        }
        if (block > length - at) {
            at = length;
            result.boundary = false;
            break;
        }
        at += block;
        payload += block;
        if (header & 1) {
            result.messages++;
            payload = 0;
        }
        result.boundary = payload == 0;
    }
    if (at < length)
        result.boundary = false;
    result.taken = length;
    return result;
}

static bool
same(const struct result *a, const struct result *b)
{
    bool a_failed = a->status >= FRAME_BAD_BLOCK;
    bool b_failed = b->status >= FRAME_BAD_BLOCK;

    if (a_failed != b_failed || (a_failed && a->status != b->status))
        return false;
    return a->messages == b->messages && a->taken == b->taken
           && (a_failed || a->boundary == b->boundary);
}

/* A message written is one message read, of the same bytes. */
static void
round_trip(const uint8_t *payload, size_t length)
{
    size_t blocks = length / FRAME_BLOCK_MAX + 1;
    size_t room = length + blocks * FRAME_HEADER_SIZE;
    uint8_t *out = malloc(room);
    struct frame_reader reader;
    size_t size, taken, at = 0;

    REQUIRE(out != NULL);
    size = frame_write(out, room, payload, length);
    REQUIRE(size > length && size <= room);
    REQUIRE(frame_write(out, size - 1, payload, length) == 0);
    REQUIRE(frame_write(out, size, payload, length) == size);

    frame_begin(&reader, length);
    REQUIRE(frame_read(&reader, out, size, &taken) == FRAME_COMPLETE);
    REQUIRE(taken == size);
    for (size_t i = 0; i < size;) {
        size_t n = (size_t)(out[i] | out[i + 1] << 8) >> 1;

        REQUIRE(n == 0 || memcmp(out + i + 2, payload + at, n) == 0);
        at += n;
        i += FRAME_HEADER_SIZE + n;
    }
    REQUIRE(at == length);
    if (length > 0) {
        frame_begin(&reader, length - 1);
        REQUIRE(frame_read(&reader, out, size, &taken) == FRAME_TOO_LONG);
    }
    free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct fuzz_input input = {bytes, length};
    size_t limit = (size_t)fuzz_byte(&input) * 257;
    size_t piece = (size_t)fuzz_byte(&input) + 1;
    size_t size;
    uint8_t *stream = fuzz_take(&input, input.left, &size);
    struct result book = by_the_book(stream, size, limit);
    struct result whole = read_in_pieces(stream, size, limit, size);
    struct result pieces = read_in_pieces(stream, size, limit, piece);
    struct result bytewise = read_in_pieces(stream, size, limit, 1);

    REQUIRE(same(&whole, &book));
    REQUIRE(same(&pieces, &book));
    REQUIRE(same(&bytewise, &book));
    round_trip(stream, size);
    free(stream);
    return 0;
}
