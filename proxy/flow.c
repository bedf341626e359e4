/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/flow.h"

#include "proxy/urgent.h"

/* Bytes of one turn: then others have theirs. */
#define TURN_QUOTA (4 * POOL_CHUNK)

/* A bulk transfer remains one as long as it brings so much at once. */
#define STILL_BULK 16384

#define SHORT_TALK 1024

void
flow_init(struct flow *flow, struct endpoint *source, struct endpoint *sink,
          struct pool *pool)
{
    *flow = (struct flow){.source = source, .sink = sink, .pool = pool};
}

void
flow_guard(struct flow *flow, struct guard *guard)
{
    flow->guard = guard;
    flow->careful = true;
}

void
flow_relay_urgent(struct flow *flow)
{
    flow->relays_urgent = flow->careful = true;
}

bool
flow_prepend(struct flow *flow, const void *bytes, size_t length)
{
    return pool_lend(flow->pool, &flow->buf, POOL_CHUNK)
           && buf_append(&flow->buf, bytes, length);
}

static void
source_done(struct flow *flow, enum io how)
{
    flow->state = FLOW_FLUSH;
    flow->source_end = how;
}

/* Storage that suits the transfer: few large sends cost less than many. */
static bool
borrow(struct flow *flow)
{
    if (flow->buf.length == 0 && flow->bulk != pool_is_bulk(&flow->buf))
        pool_return(flow->pool, &flow->buf);
    return (flow->bulk && pool_lend_bulk(flow->pool, &flow->buf, POOL_BULK))
           || pool_lend(flow->pool, &flow->buf, POOL_CHUNK);
}

static void
drop_guard(struct flow *flow)
{
    guard_free(flow->guard);
    flow->guard = NULL;
    flow->careful = flow->relays_urgent;
}

/* fill() for a login: what comes in has to pass the guard. */
static bool
fill_guarded(struct flow *flow)
{
    uint8_t bytes[GUARD_PIECE];
    enum guard_status status;
    struct buf piece;
    enum io result;

    if (buf_room(&flow->buf) < GUARD_ROOM)
        return false;
    buf_init(&piece, bytes, sizeof bytes);
    result = endpoint_read(flow->source, &piece);
    flow->taken += piece.length;
    status = guard_feed(flow->guard, bytes, piece.length, &flow->buf);
    if (result == IO_EOF || result == IO_BROKEN) {
        source_done(flow, result);
        status = guard_end(flow->guard, &flow->buf);
    }
    if (status == GUARD_REFUSED) {
        flow->refused = guard_reason(flow->guard);
        source_done(flow, IO_EOF);
    }
    if (status != GUARD_ON)
        drop_guard(flow);
    return result != IO_AGAIN;
}

/* fill() where the next byte is urgent: it goes alone, behind all before it. */
static bool
fill_urgent(struct flow *flow)
{
    uint8_t byte;
    struct buf one;

    if (flow_is_stalled(flow))
        return false;
    buf_init(&one, &byte, 1);
    if (endpoint_read(flow->source, &one) != IO_DONE)
        return false;
    flow->taken++;
    flow->urgent = true;
    return buf_append(&flow->buf, &byte, 1);
}

/* True if bytes came in, or the end did. */
static bool
fill(struct flow *flow)
{
    size_t before = flow->buf.length;
    enum io result;

    if (flow->state != FLOW_OPEN)
        return false;
    if (endpoint_is_dry(flow->source)) {
        flow->source->waits |= WAIT_READ;
        return false;
    }
    if (!borrow(flow)) {
        source_done(flow, IO_BROKEN);
        return true;
    }
    if (flow->careful) {
        if (flow->guard != NULL)
            return fill_guarded(flow);
        if (flow->urgent)
            return false;
        if (urgent_is_next(flow->source))
            return fill_urgent(flow);
    }
    if (buf_room(&flow->buf) == 0)
        return false;
    result = endpoint_read(flow->source, &flow->buf);
    flow->taken += flow->buf.length - before;
    if (flow->progress != NULL && result == IO_DONE)
        progress_heard(flow->progress, flow->source->event != NULL,
                       buf_peek(&flow->buf) + before,
                       flow->buf.length - before);
    if (flow->buf.length > before)
        flow->bulk = buf_room(&flow->buf) == 0
                     || (flow->bulk && flow->buf.length > STILL_BULK);
    if (flow->bulk)
        endpoint_widen(flow->source);
    if (result == IO_EOF || result == IO_BROKEN)
        source_done(flow, result);
    return result != IO_AGAIN;
}

/*
 * The end of a short conversation comes right behind its last words, a refused
 * login's for one: found now, it goes out with them.  To look again after each
 * read for the whole of a long one would cost more than it brings.
 */
static void
look_again(struct flow *flow)
{
    if (flow->answers && flow->taken > 0 && flow->taken < SHORT_TALK
        && flow->source->ssl == NULL && flow->state == FLOW_OPEN
        && flow->source->bio.drained) {
        flow->source->bio.drained = false;
        (void)fill(flow);
    }
}

static bool
empty_urgent(struct flow *flow)
{
    enum io result = urgent_write(flow->sink, &flow->buf);

    if (result == IO_BROKEN)
        flow->state = FLOW_BROKEN;
    flow->urgent = result == IO_AGAIN;
    return result == IO_DONE;
}

/* True if bytes went out. */
static bool
empty(struct flow *flow)
{
    /* Its end goes out with a conversation's last bytes. */
    bool more = flow->state == FLOW_FLUSH && flow->source_end == IO_EOF;
    enum io result;

    if (!flow_is_stalled(flow))
        return false;
    if (flow->urgent)
        return empty_urgent(flow);
    result = flow->buf.length > 0 ? endpoint_write(flow->sink, &flow->buf, more)
                                  : endpoint_flush(flow->sink);
    if (result == IO_BROKEN)
        flow->state = FLOW_BROKEN;
    return result == IO_DONE;
}

static void
shut_sink(struct flow *flow)
{
    enum io result;

    flow->sink->closing = flow->last && flow->source->bio.eof;
    result = endpoint_shut(flow->sink, flow->source_end == IO_BROKEN);
    if (result == IO_DONE)
        flow->state = FLOW_SHUT;
    else if (result == IO_BROKEN)
        flow->state = FLOW_BROKEN;
}

/* Wait for something that is true already, so that no event is lost: bytes that
 * the socket still has or, as nothing tells of those that OpenSSL holds, that
 * the sink is writable. */
static void
yield_turn(struct flow *flow)
{
    if (flow->source->ssl == NULL)
        flow->source->waits |= WAIT_READ;
    else
        flow->sink->waits |= WAIT_WRITE;
}

enum flow_state
flow_run(struct flow *flow)
{
    uint64_t quota = flow->taken + TURN_QUOTA;
    bool moved = true;

    while (moved && flow->state < FLOW_SHUT) {
        moved = fill(flow);
        if (moved)
            look_again(flow);
        moved = empty(flow) || moved;
        if (flow->state == FLOW_FLUSH && flow->buf.length == 0
            && !(flow->patient && flow->taken == 0))
            shut_sink(flow);
        if (flow->taken >= quota) {
            yield_turn(flow);
            break;
        }
    }
    if (flow->state >= FLOW_SHUT || flow->buf.length == 0)
        pool_return(flow->pool, &flow->buf);
    return flow->state;
}

bool
flow_is_stalled(const struct flow *flow)
{
    return flow->buf.length > 0 || endpoint_has_unsent(flow->sink);
}

void
flow_drop(struct flow *flow)
{
    guard_free(flow->guard);
    flow->guard = NULL;
    pool_return(flow->pool, &flow->buf);
}
