/*
 * endpoint.h - one end of a connection: a socket, plain or under TLS
 *
 * Reads, writes and closes without ever blocking.  What happened is told by the
 * result; what to wait for before the next attempt is left in `waits`; what a
 * client did is noted in the event of its connection.  All calls to OpenSSL for
 * a connection, and all looks into its error queue, are in endpoint.c.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_ENDPOINT_H
#define PROXY_ENDPOINT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "proxy/event.h"
#include "proxy/pool.h"
#include "proxy/tlsbio.h"

enum io {
    IO_DONE,   /* bytes moved, or the step is complete */
    IO_AGAIN,  /* nothing can be done until one of `waits` is true */
    IO_EOF,    /* the peer has ended its direction */
    IO_BROKEN, /* no more of this, ever: see `error` and the event */
};

enum { WAIT_READ = 1, WAIT_WRITE = 2 }; /* libev's EV_READ and EV_WRITE */

struct endpoint {
    int fd;
    unsigned waits;      /* set of WAIT_*, collected since endpoint_wake() */
    SSL *ssl;            /* NULL: plain */
    struct tlsbio bio;   /* its `drained` and `out` serve plain ends too */
    struct event *event; /* the client's facts; NULL for a backend */
    bool blocked;        /* the socket takes nothing until it is writable */
    bool unreadable;     /* reading failed for good */
    bool unwritable;     /* writing did; what was received can still be read */
    bool connecting;     /* it was still, when we first looked */
    bool wide;           /* the kernel has room for bulk data from the peer */
    bool closing;        /* it will be closed as soon as our side is shut */
    bool shut;           /* our direction is over */
    bool notified;       /* close_notify was handed to OpenSSL */
    int error;           /* errno behind these two; 0: TLS itself failed */
    uint64_t sent;       /* bytes that the socket has taken */
};

/* An endpoint over fd, which it owns from now on. */
void endpoint_init(struct endpoint *end, int fd, struct pool *pool,
                   struct event *event);

/* Put TLS, as a server, on it; -1 if there is no memory. */
int endpoint_start_tls(struct endpoint *end, SSL_CTX *context);

/* The socket is readable and/or writable (WAIT_*, or 0): forget old waits. */
void endpoint_wake(struct endpoint *end, unsigned ready);

/* Advance the handshake; IO_DONE once it is complete. */
enum io endpoint_handshake(struct endpoint *end);

/* True if endpoint_read() would find nothing without asking the kernel. */
bool endpoint_is_dry(const struct endpoint *end);

/* The peer sends more than a usual block takes: make room for it, once. */
void endpoint_widen(struct endpoint *end);

/* Read into the room of `into`, which is not 0.  IO_DONE: at least a byte. */
enum io endpoint_read(struct endpoint *end, struct buf *into);

/*
 * Take bytes, one at least, from `from` for sending.  IO_DONE: some were.  With
 * `more` what was taken may stay here until the next call, which comes at once.
 */
enum io endpoint_write(struct endpoint *end, struct buf *from, bool more);

/* Send what was taken.  IO_DONE: all of it is with the kernel. */
enum io endpoint_flush(struct endpoint *end);

/* True if endpoint_flush() has something to do. */
bool endpoint_has_unsent(const struct endpoint *end);

/*
 * End our direction: what was taken goes out, then close_notify, then FIN.
 * With `cut` the peer must see a truncation instead: under TLS it gets no
 * close_notify, on a plain end RST at the close.  IO_DONE once that is done.
 */
enum io endpoint_shut(struct endpoint *end, bool cut);

/* Read and drop what the peer sends, without decrypting it. */
enum io endpoint_discard(struct endpoint *end);

/* Close and free everything; the endpoint may be one that was never opened
 * (fd -1). */
void endpoint_close(struct endpoint *end);

/* The info callback of every context: notes alerts in the client's event. */
void endpoint_info(const SSL *ssl, int where, int value);

#endif
