/*
 * wire.h - read and write integers and byte strings, with a sticky error
 *
 * A parser reads field after field without looking at each result: once a read
 * goes past the end, `failed` is set, and every read from then on gives zeros.
 * It is checked once, at the end.  The same holds for the writer and its room.
 *
 * Neither owns the bytes; slices point into the reader's.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *bytes;
    size_t length;
};

struct wire_reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

struct wire_writer {
    uint8_t *at;
    size_t left;
    bool failed;
};

static inline struct slice
slice_text(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static inline struct wire_reader
wire_reader(const void *bytes, size_t length)
{
    return (struct wire_reader){bytes, length, false};
}

static inline struct wire_writer
wire_writer(void *room, size_t length)
{
    return (struct wire_writer){room, length, false};
}

/* The next n bytes, where they are; an empty slice if there are fewer. */
static inline struct slice
wire_take(struct wire_reader *r, size_t n)
{
    struct slice taken = {r->at, n};

    if (r->failed || n > r->left) {
        r->failed = true;
        return (struct slice){NULL, 0};
    }
    r->at += n;
    r->left -= n;
    return taken;
}

/* The next n bytes, at most 8, as an integer in network byte order. */
static inline uint64_t
wire_be(struct wire_reader *r, size_t n)
{
    struct slice s = wire_take(r, n);
    uint64_t value = 0;

    for (size_t i = 0; i < s.length; i++)
        value = value << 8 | s.bytes[i];
    return value;
}

/* The same, least significant byte first, as MAPI has it. */
static inline uint64_t
wire_le(struct wire_reader *r, size_t n)
{
    struct slice s = wire_take(r, n);
    uint64_t value = 0;

    for (size_t i = s.length; i > 0; i--)
        value = value << 8 | s.bytes[i - 1];
    return value;
}

/* Append n bytes. */
static inline void
wire_put(struct wire_writer *w, const void *bytes, size_t n)
{
    if (w->failed || n > w->left) {
        w->failed = true;
        return;
    }
    if (n > 0)
        memcpy(w->at, bytes, n);
    w->at += n;
    w->left -= n;
}

/* Append the low n bytes of value, at most 8, in network byte order. */
static inline void
wire_put_be(struct wire_writer *w, uint64_t value, size_t n)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
    wire_put(w, bytes, n);
}

/* The same, least significant byte first. */
static inline void
wire_put_le(struct wire_writer *w, uint64_t value, size_t n)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    wire_put(w, bytes, n);
}

#endif
