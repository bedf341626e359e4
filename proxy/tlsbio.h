/*
 * tlsbio.h - the one BIO between OpenSSL and a socket
 *
 * Five things a socket BIO cannot do:
 * - Records are gathered and go out by one send() for each burst.
 * - What can wait, a session ticket, is held back for the next burst.
 * - What a client sends in bulk is received by few calls, into one of the
 *   worker's blocks, from which OpenSSL then takes record after record.
 * - A client whose first bytes are no TLS is never shown to OpenSSL, which
 *   would answer it with an alert (contract.md, section 4).
 * - End of file is noted apart from close_notify, so that truncation is told
 *   from an orderly end although SSL_OP_IGNORE_UNEXPECTED_EOF is set.
 *
 * The struct is embedded in an endpoint, which owns the descriptor and outlives
 * the BIO.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_TLSBIO_H
#define PROXY_TLSBIO_H

#include <openssl/bio.h>
#include <stdbool.h>
#include <stdint.h>

#include "proxy/event.h"
#include "proxy/pool.h"

struct tlsbio {
    int fd;
    struct pool *pool;
    struct buf out; /* records that the socket has not taken yet */
    bool bulk;      /* more is coming than a usual block takes */
    uint8_t *held;  /* what may wait for the next write; NULL: nothing */
    size_t held_length;
    struct buf in;    /* received, but not taken by OpenSSL yet */
    size_t bulk_in;   /* bytes that one call may receive; 0: as OpenSSL asks */
    bool drained;     /* nothing more is read until the socket is readable */
    size_t turn;      /* bytes that OpenSSL has taken since it was */
    bool eof;         /* the peer's FIN was read */
    bool reset;       /* a send has met RST: an end of file now is no FIN */
    bool established; /* the handshake is complete */
    bool mute;        /* what OpenSSL writes is dropped */
    int error;        /* errno of a failed read; 0: none */
    enum first_bytes first;
    uint8_t head[8]; /* the first bytes, head_length of them */
    uint8_t head_length;
};

/* Create the process's BIO method; 0, or -1 if there is no memory. */
int tlsbio_setup(void);

/* A BIO over bio, owned by the caller (usually handed to SSL_set_bio()); NULL
 * if there is no memory. */
BIO *tlsbio_new(struct tlsbio *bio);

/*
 * What OpenSSL has written but nobody needs yet, a session ticket, goes out
 * with what is written next instead of a segment of its own.
 */
void tlsbio_hold(struct tlsbio *bio);

/* The socket is readable: another turn of reading begins. */
void tlsbio_turn(struct tlsbio *bio);

#endif
