/*
 * observed.h - connections for tests of what is made of them: only what matters
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef TESTS_UNIT_OBSERVED_H
#define TESTS_UNIT_OBSERVED_H

#include <stdbool.h>

#include "proxy/event.h"

/* An event of which most is as usual; alerts are 0 where there is none. */
struct observed {
    bool tls, handshake, framed;
    enum first_bytes first;
    enum event_end end;
    enum event_phase phase;
    int received, sent; /* alerts */
    int error;
    unsigned up, down;
    enum event_mapi mapi;
};

/* On a TLS port; there with a whole handshake; on a plain port. */
#define TLS_AS(what, ...)                                                      \
    {                                                                          \
        .tls = true, .first = what, __VA_ARGS__                                \
    }
#define TLS(...)    TLS_AS(FIRST_TLS, __VA_ARGS__)
#define SHAKEN(...) TLS(.handshake = true, __VA_ARGS__)
#define PLAIN_AS(what, ...)                                                    \
    {                                                                          \
        .first = what, __VA_ARGS__                                             \
    }
#define PLAIN(...) PLAIN_AS(FIRST_MAPI, __VA_ARGS__)

/* With the simulator behind it; with bytes that suit. */
#define REACHED(what, bytes_up, bytes_down)                                    \
    .framed = true, .mapi = what, .up = bytes_up, .down = bytes_down
#define CHALLENGED REACHED(MAPI_CHALLENGE, 0, 90)
#define RESPONDED  REACHED(MAPI_RESPONSE, 40, 90)
#define COMPLETED  REACHED(MAPI_COMPLETE, 40, 190)

static inline struct event
observed_event(const struct observed *o)
{
    return (struct event){
        .tls = o->tls,
        .handshake = o->handshake,
        .tls_version = o->handshake ? 0x0304 : 0,
        .first = o->first,
        .end = o->end,
        .phase = o->phase,
        .error = o->error,
        .alert_received = (int16_t)(o->received ? o->received : EVENT_NO_ALERT),
        .alert_sent = (int16_t)(o->sent ? o->sent : EVENT_NO_ALERT),
        .bytes_up = o->up,
        .bytes_down = o->down,
        .framed = o->framed,
        .mapi = o->mapi,
    };
}

#endif
