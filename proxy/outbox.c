/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/outbox.h"

#include <math.h>
#include <string.h>
#include <sys/socket.h>

#include "base/wire.h"

/*
 * An event is sent as its fixed part, as it is in memory, and its texts, which
 * are mostly short, each behind its length.  Sender and receiver are the same
 * program.
 */
#define FIXED_BYTES offsetof(struct event, sni)
#define SIZE_BYTES  2

#define SECONDS_MAX 1e11 /* a year that still has four digits */

/* A length, and a NUL where a text ends with one. */
#define TEXT_BYTES (1 + EVENT_TEXT_MAX + 1)
#define TEXTS      6

_Static_assert(SIZE_BYTES + FIXED_BYTES + TEXTS * TEXT_BYTES
                   <= OUTBOX_MESSAGE_MAX,
               "an empty message has room for every event");

static void
put_text(struct wire_writer *w, const struct event_bytes *text)
{
    wire_put_be(w, text->length, 1);
    wire_put(w, text->bytes, text->length);
}

static void
take_text(struct wire_reader *r, struct event_bytes *text)
{
    struct slice bytes = wire_take(r, wire_be(r, 1));

    *text = (struct event_bytes){bytes.bytes, (uint8_t)bytes.length};
}

/* With its NUL, so that the receiver can use it where it is. */
static void
put_string(struct wire_writer *w, const char *string)
{
    size_t length = string != NULL ? strnlen(string, EVENT_TEXT_MAX) : 0;

    wire_put_be(w, length, 1);
    wire_put(w, string, length);
    wire_put_be(w, '\0', 1);
}

static const char *
take_string(struct wire_reader *r)
{
    struct slice bytes = wire_take(r, wire_be(r, 1) + 1);

    if (bytes.length > 0 && bytes.bytes[bytes.length - 1] == '\0')
        return (const char *)bytes.bytes;
    r->failed = true;
    return "";
}

static size_t
pack(const struct event *event, uint8_t *out, size_t room)
{
    struct wire_writer w = wire_writer(out, room);
    size_t size;

    wire_put_be(&w, 0, SIZE_BYTES);
    wire_put(&w, event, FIXED_BYTES);
    put_text(&w, &event->sni);
    put_text(&w, &event->alpn_offered);
    put_text(&w, &event->alpn_selected);
    put_text(&w, &event->client_subject);
    put_string(&w, event->reason);
    put_string(&w, event->backend);
    if (w.failed)
        return 0;
    size = room - w.left;
    w = wire_writer(out, SIZE_BYTES);
    wire_put_be(&w, size - SIZE_BYTES, SIZE_BYTES);
    return size;
}

unsigned
outbox_send(struct outbox *outbox)
{
    unsigned events = outbox->events;
    ssize_t n;

    if (events == 0)
        return 0;
    n = send(outbox->channel, outbox->message, outbox->length,
             MSG_DONTWAIT | MSG_NOSIGNAL);
    outbox->events = 0;
    outbox->length = 0;
    return n == -1 ? events : 0;
}

unsigned
outbox_add(struct outbox *outbox, const struct event *event)
{
    unsigned lost = 0;
    size_t size = pack(event, outbox->message + outbox->length,
                       OUTBOX_MESSAGE_MAX - outbox->length);

    if (size == 0) { /* there is no room: an empty message has it */
        lost = outbox_send(outbox);
        size = pack(event, outbox->message, OUTBOX_MESSAGE_MAX);
    }
    outbox->length += size;
    outbox->events++;
    return lost;
}

static bool
is_address(const struct net_address *address)
{
    switch (address->length) {
    case 0:
        return true;
    case sizeof address->sa.v4:
        return address->sa.any.sa_family == AF_INET;
    case sizeof address->sa.v6:
        return address->sa.any.sa_family == AF_INET6;
    }
    return false;
}

/* A byte that is neither true nor false is no bool to C. */
static bool
is_bool(const bool *value)
{
    uint8_t byte;

    memcpy(&byte, value, 1);
    return byte <= 1;
}

/* What is used as an index, a number or an address, or printed as a name, has
 * to be one: the sender may be a worker that a client has overcome. */
static bool
is_valid(const struct event *event)
{
    const bool *const bools[] = {&event->tls, &event->handshake,
                                 &event->resumed, &event->client_certificate,
                                 &event->framed};

    for (size_t i = 0; i < sizeof bools / sizeof bools[0]; i++)
        if (!is_bool(bools[i]))
            return false;
    return (unsigned)event->first <= FIRST_OTHER
           && (unsigned)event->end <= END_BACKEND
           && (unsigned)event->phase <= PHASE_ANNOUNCE
           && (unsigned)event->mapi <= MAPI_COMPLETE
           && is_address(&event->client) && is_address(&event->via)
           && fabs(event->accepted) < SECONDS_MAX
           && fabs(event->since_boot) < SECONDS_MAX
           && fabsf(event->handshake_seconds) < SECONDS_MAX
           && fabsf(event->backend_seconds) < SECONDS_MAX
           && fabsf(event->total_seconds) < SECONDS_MAX
           && memchr(event->cipher, '\0', sizeof event->cipher) != NULL
           && memchr(event->group, '\0', sizeof event->group) != NULL;
}

bool
outbox_take(const uint8_t **bytes, size_t *length, struct event *event)
{
    struct wire_reader r = wire_reader(*bytes, *length);
    struct slice packed = wire_take(&r, wire_be(&r, SIZE_BYTES));
    struct wire_reader p = wire_reader(packed.bytes, packed.length);
    struct slice fixed = wire_take(&p, FIXED_BYTES);

    memset(event, 0, sizeof *event);
    if (fixed.length > 0)
        memcpy(event, fixed.bytes, FIXED_BYTES);
    take_text(&p, &event->sni);
    take_text(&p, &event->alpn_offered);
    take_text(&p, &event->alpn_selected);
    take_text(&p, &event->client_subject);
    event->reason = take_string(&p);
    event->backend = take_string(&p);
    if (r.failed || p.failed || p.left > 0 || !is_valid(event)) {
        *length = 0;
        return false;
    }
    *bytes = r.at;
    *length = r.left;
    return true;
}
