/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/guard.h"

#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "base/net.h"

/* Clients show what is behind the '!'; 08001 is "cannot connect". */
#define REFUSAL                                                                \
    "!08001!the database server redirects to where there is no TLS, which "    \
    "this port refuses\n"

/* A challenge has at least so many colons, and a 9 between the second and the
 * third of them: the protocol's version. */
#define CHALLENGE_COLONS 5
#define VERSION_COLONS   2

enum awaits {
    AWAITS_CHALLENGE,
    AWAITS_REPLY,
    AWAITS_NOTHING, /* the login is over */
    AWAITS_END,     /* of the connection: a reply was refused */
};

/* A reply: as it came, and without the headers of its blocks.  If it changes,
 * the new one is written over what came. */
struct hold {
    size_t raw_length, length;
    uint8_t raw[GUARD_REPLY_MAX], payload[GUARD_REPLY_MAX];
};

struct guard {
    enum awaits awaits;
    const char *reason;
    struct frame_reader frame;
    unsigned colons;       /* of the challenge so far */
    size_t version_length; /* of its third field */
    bool version_9;
    struct hold *hold; /* NULL until a reply begins */
    bool rewrites;
    struct redirect_place place;
    char authority[NET_HOST_MAX + 16];
};

static void
await(struct guard *guard, enum awaits what)
{
    guard->awaits = what;
    guard->colons = 0;
    guard->version_length = 0;
    guard->version_9 = false;
    frame_begin(&guard->frame,
                what == AWAITS_CHALLENGE ? FRAME_BLOCK_MAX : GUARD_REPLY_MAX);
    if (what != AWAITS_REPLY) {
        free(guard->hold);
        guard->hold = NULL;
    }
}

struct guard *
guard_new(const struct redirect_place *place)
{
    struct guard *guard = calloc(1, sizeof *guard);

    if (guard == NULL)
        return NULL;
    await(guard, AWAITS_CHALLENGE);
    if (place == NULL)
        return guard;
    guard->rewrites = true;
    guard->place = *place;
    guard->place.authority = guard->authority;
    if (strlen(place->authority) < sizeof guard->authority) {
        strcpy(guard->authority, place->authority);
        return guard;
    }
    free(guard);
    return NULL;
}

static enum guard_status
status(const struct guard *guard)
{
    switch (guard->awaits) {
    case AWAITS_CHALLENGE:
    case AWAITS_REPLY:
        break;
    case AWAITS_NOTHING:
        return GUARD_OFF;
    case AWAITS_END:
        return GUARD_REFUSED;
    }
    return GUARD_ON;
}

static void
refuse(struct guard *guard, const char *reason, struct buf *out)
{
    size_t n =
        frame_write(buf_space(out), buf_room(out), REFUSAL, strlen(REFUSAL));

    buf_commit(out, n);
    guard->reason = reason;
    await(guard, AWAITS_END);
}

/* What clients may take for the end of a line. */
static size_t
line_length(struct slice text)
{
    size_t n = 0;

    while (n < text.length && text.bytes[n] != '\n' && text.bytes[n] != '\r')
        n++;
    return n;
}

/* The kinds of redirects that a reply has, as bits 1 << enum redirect_kind. */
static unsigned
kinds(struct slice text)
{
    unsigned set = 0;

    while (text.length > 0) {
        size_t n = line_length(text);

        set |= 1u << redirect_classify((struct slice){text.bytes, n});
        n += n < text.length;
        text.bytes += n;
        text.length -= n;
    }
    return set;
}

/* Write the reply anew with all its redirects to us; false if one leads
 * elsewhere. */
static bool
rewrite(const struct guard *guard, struct slice text, struct wire_writer *out)
{
    while (text.length > 0) {
        size_t n = line_length(text);
        struct slice line = {text.bytes, n};

        if (redirect_classify(line) != REDIRECT_LEAVES)
            wire_put(out, line.bytes, line.length);
        else if (!redirect_rewrite(line, &guard->place, out))
            return false;
        if (n < text.length)
            wire_put(out, text.bytes + n++, 1);
        text.bytes += n;
        text.length -= n;
    }
    return !out->failed;
}

/* The reply that is held has redirects out of TLS: change it. */
static void
change(struct guard *guard, unsigned set, struct buf *out)
{
    struct hold *hold = guard->hold;
    struct slice reply = {hold->payload, hold->length};
    struct wire_writer w = wire_writer(hold->raw, sizeof hold->raw);
    size_t n;

    if (!guard->rewrites || (set & 1u << REDIRECT_AGAIN) != 0
        || !rewrite(guard, reply, &w)) {
        refuse(guard, "a redirect to where there is no TLS", out);
        return;
    }
    n = frame_write(buf_space(out), buf_room(out), hold->raw,
                    sizeof hold->raw - w.left);
    buf_commit(out, n);
    await(guard, AWAITS_NOTHING);
}

/* The reply is complete, or there will be no more of it. */
static void
judge(struct guard *guard, struct buf *out)
{
    struct hold *hold = guard->hold;
    unsigned set = kinds((struct slice){hold->payload, hold->length});

    if ((set & 1u << REDIRECT_LEAVES) != 0) {
        change(guard, set, out);
        return;
    }
    (void)buf_append(out, hold->raw, hold->raw_length);
    await(guard, (set & 1u << REDIRECT_AGAIN) != 0 ? AWAITS_CHALLENGE
                                                   : AWAITS_NOTHING);
}

/* A byte of a reply's header, or of its payload. */
static void
take_reply(struct guard *guard, uint8_t byte, bool payload, struct buf *out)
{
    struct hold *hold = guard->hold;
    size_t taken;

    if (hold == NULL) {
        hold = guard->hold = malloc(sizeof *hold);
        if (hold == NULL) {
            refuse(guard, "no memory for a login reply", out);
            return;
        }
        hold->raw_length = hold->length = 0;
    }
    if (hold->raw_length == sizeof hold->raw) {
        refuse(guard, "a login reply that is too long to be looked at", out);
        return;
    }
    hold->raw[hold->raw_length++] = byte;
    if (payload)
        hold->payload[hold->length++] = byte;
    switch (frame_read(&guard->frame, &byte, 1, &taken)) {
    case FRAME_MORE:
        break;
    case FRAME_COMPLETE:
        judge(guard, out);
        break;
    case FRAME_BAD_BLOCK:
    case FRAME_TOO_LONG:
        refuse(guard, "a login reply that is too long to be looked at", out);
        break;
    }
}

/* A byte of a challenge, which has passed already. */
static void
take_challenge(struct guard *guard, uint8_t byte, bool payload)
{
    bool challenge;
    size_t taken;

    if (payload && byte == ':') {
        guard->colons++;
    } else if (payload && guard->colons == VERSION_COLONS) {
        guard->version_length++;
        guard->version_9 = byte == '9';
    }
    switch (frame_read(&guard->frame, &byte, 1, &taken)) {
    case FRAME_MORE:
        break;
    case FRAME_COMPLETE:
        challenge = guard->colons >= CHALLENGE_COLONS && guard->version_9
                    && guard->version_length == 1;
        await(guard, challenge ? AWAITS_REPLY : AWAITS_NOTHING);
        break;
    case FRAME_BAD_BLOCK:
    case FRAME_TOO_LONG:
        await(guard, AWAITS_NOTHING);
        break;
    }
}

enum guard_status
guard_feed(struct guard *guard, const uint8_t *bytes, size_t length,
           struct buf *out)
{
    size_t at = 0;

    for (; at < length && status(guard) == GUARD_ON; at++) {
        bool payload = guard->frame.header_have == FRAME_HEADER_SIZE;

        if (guard->awaits == AWAITS_REPLY) {
            take_reply(guard, bytes[at], payload, out);
        } else {
            (void)buf_append(out, &bytes[at], 1);
            take_challenge(guard, bytes[at], payload);
        }
    }
    if (guard->awaits == AWAITS_NOTHING)
        (void)buf_append(out, bytes + at, length - at);
    return status(guard);
}

enum guard_status
guard_end(struct guard *guard, struct buf *out)
{
    /* What is cut off is not made whole. */
    guard->rewrites = false;
    if (guard->hold != NULL) {
        judge(guard, out);
        if (guard->awaits != AWAITS_END)
            await(guard, AWAITS_NOTHING);
    }
    return guard->awaits == AWAITS_END ? GUARD_REFUSED : GUARD_OFF;
}

const char *
guard_reason(const struct guard *guard)
{
    return guard->reason;
}

void
guard_free(struct guard *guard)
{
    if (guard == NULL)
        return;
    free(guard->hold);
    free(guard);
}
