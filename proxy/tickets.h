/*
 * tickets.h - session tickets under keys that are derived, not distributed
 *
 * RFC 5077 for TLS 1.2, RFC 8446 section 4.6.1 for TLS 1.3.  A ticket's keys
 * follow from a secret, the epoch and the context's id, so that workers,
 * reloads and instances that share the secret accept each other's tickets
 * without a word.  A ticket is issued under the keys of the current epoch; the
 * previous one's are accepted, and the next one's, which an instance with a
 * clock a little ahead already uses.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_TICKETS_H
#define PROXY_TICKETS_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#define TICKETS_SECRET_BYTES  32
#define TICKETS_EPOCH_SECONDS (6 * 3600)

/*
 * Let context issue one ticket per handshake and resume the sessions of tickets
 * that were issued under the same secret and id: id is its session-id context,
 * at most SSL_MAX_SID_CTX_LENGTH bytes.  A ticket is good for
 * TICKETS_EPOCH_SECONDS, which is the shortest time for which its key is
 * accepted; any other bytes in its place lead to a full handshake.
 *
 * All contexts that one connection passes through by SSL_set_SSL_CTX() need the
 * call, or none.  The keys are those of the context that is current when a
 * ticket is read or written, like the session-id context; hence tickets of a
 * context that is switched to are resumed where the client-hello callback
 * switches, and by the server-name callback, which comes after the reading,
 * only if both contexts have the same id.
 *
 * What the call sets up goes with the context, which one thread uses at a time.
 * Returns 0, or -1 with the reason in OpenSSL's error queue.
 */
int tickets_use(SSL_CTX *context, const uint8_t secret[TICKETS_SECRET_BYTES],
                const uint8_t *id, size_t id_length);

#endif
