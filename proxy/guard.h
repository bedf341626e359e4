/*
 * guard.h - keeps a login reply from sending a client out of TLS
 *
 * Watches what a backend says while its client logs in (contract.md, section
 * 8).  A challenge passes as it comes.  The reply behind it is held until it is
 * complete, and every line of it is looked at: a redirect that is not known to
 * stay under TLS is refused, or rewritten so that the client comes back to us.
 * A redirect to `^mapi:merovingian://proxy` means another challenge on the same
 * connection, and another reply; after any other reply the login is over.
 *
 * A backend whose first message is no challenge speaks something else: the
 * guard steps aside for good, and has not held back a byte.
 *
 * Pure: no sockets; any split of the bytes gives the same result.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_GUARD_H
#define PROXY_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "proxy/redirect.h"

/* What a port does to redirects out of TLS. */
enum redirects {
    REDIRECTS_PASS,    /* nothing: it has no guard */
    REDIRECTS_REFUSE,  /* the reply becomes an error that says why */
    REDIRECTS_REWRITE, /* to us if it is to our own backend, else refused */
};

/* The longest reply, headers included: a longer one is refused.  A real one
 * has a few hundred bytes. */
#define GUARD_REPLY_MAX (16 * 1024)

/* What guard_feed() takes at once, and the room that it needs for that. */
#define GUARD_PIECE 4096
#define GUARD_ROOM  (GUARD_PIECE + GUARD_REPLY_MAX + 64)

enum guard_status {
    GUARD_ON,      /* feed it what comes next */
    GUARD_OFF,     /* it has let go of everything, and is not needed any more */
    GUARD_REFUSED, /* a reply became an error: nothing may follow that */
};

struct guard;

/*
 * A guard at the beginning of a connection; NULL if there is no memory.  With
 * place NULL it refuses, otherwise it rewrites.  The authority is copied, the
 * backend outlives the guard.
 */
struct guard *guard_new(const struct redirect_place *place);

/*
 * Take at most GUARD_PIECE bytes from the backend, and append what may go to
 * the client to out, which has GUARD_ROOM.
 */
enum guard_status guard_feed(struct guard *guard, const uint8_t *bytes,
                             size_t length, struct buf *out);

/* The backend has ended its side: the same with what is still held. */
enum guard_status guard_end(struct guard *guard, struct buf *out);

/* After GUARD_REFUSED: what for, half a sentence. */
const char *guard_reason(const struct guard *guard);

/* NULL does nothing. */
void guard_free(struct guard *guard);

#endif
