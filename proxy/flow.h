/*
 * flow.h - one direction of a relayed connection
 *
 * Moves bytes from a source to a sink through one buffer of fixed size, which
 * is borrowed from the worker's pool while it holds bytes.  A full buffer stops
 * the reading, and that is all the backpressure there is.
 *
 * A flow is embedded in its connection and owns nothing but the loan and its
 * guard: both ends outlive it.  It never closes, frees or calls back.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_FLOW_H
#define PROXY_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "proxy/endpoint.h"
#include "proxy/guard.h"
#include "proxy/pool.h"
#include "proxy/progress.h"

enum flow_state {
    FLOW_OPEN,   /* the source may still produce bytes */
    FLOW_FLUSH,  /* the source is done, taken bytes remain */
    FLOW_SHUT,   /* the sink is half-closed: this direction is over */
    FLOW_BROKEN, /* the sink failed; it knows why */
};

struct flow {
    enum flow_state state;
    struct endpoint *source;
    struct endpoint *sink;
    struct pool *pool;
    struct progress *progress; /* that hears what is taken; NULL: nobody */
    bool bulk;    /* the source has more than a usual block takes */
    bool last;    /* the other direction is over already */
    bool answers; /* the other direction has had bytes */
    bool patient; /* an end without a byte before it is not passed on */
    bool careful; /* there is a guard, or urgent data is passed on as such */
    bool relays_urgent;
    bool urgent;         /* the one byte in buf is */
    struct guard *guard; /* of a login; NULL: none, or not any more */
    const char *refused; /* by the guard, and why; NULL: nothing was */
    struct buf buf;
    uint64_t taken;     /* bytes that the source has produced */
    enum io source_end; /* why it is done: IO_EOF or IO_BROKEN */
};

/* Bind flow to its two ends. */
void flow_init(struct flow *flow, struct endpoint *source,
               struct endpoint *sink, struct pool *pool);

/* Have all that the source says go through guard until the login is over; flow
 * owns it. */
void flow_guard(struct flow *flow, struct guard *guard);

/* Pass TCP urgent data on as such; both ends are plain, and the source keeps it
 * in the stream (net_keep_urgent()). */
void flow_relay_urgent(struct flow *flow);

/*
 * Put bytes into the buffer before the relay begins, to go before the source's
 * own, and not counted as taken.  False if there is no memory.
 */
bool flow_prepend(struct flow *flow, const void *bytes, size_t length);

/*
 * Move bytes until neither end can go on, or until it is others' turn.
 * Half-closes the sink once the source is done and the buffer is empty, unless
 * it is patient; if the
 * source broke, so that the sink's peer sees a truncation.  Returns the state
 * reached; what to wait for is left in the ends' waits.
 */
enum flow_state flow_run(struct flow *flow);

/* True if bytes wait for the sink, here or in it. */
bool flow_is_stalled(const struct flow *flow);

/* Give up: drop what is buffered and give the loan back. */
void flow_drop(struct flow *flow);

#endif
