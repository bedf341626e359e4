/*
 * contexts.h - an operator's port as TLS contexts
 *
 * One context for each certificate.  Which one a client gets is decided at its
 * ClientHello, by the server name, before OpenSSL looks for a session: so a
 * ticket is worth nothing under another certificate.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CONTEXTS_H
#define PROXY_CONTEXTS_H

#include <openssl/ssl.h>

#include "proxy/config.h"
#include "proxy/tickets.h"

struct contexts;

/*
 * Read the front's files, which are open, and set up TLS.  Tickets are made
 * from the secret.  The caller frees the contexts; NULL: the culprit is logged,
 * with its line in config.
 */
struct contexts *
contexts_new(const struct config *config, const struct front *front,
             const uint8_t secret[TICKETS_SECRET_BYTES]);

/* The context that every connection begins with; stays the contexts'. */
SSL_CTX *contexts_first(const struct contexts *contexts);

/* NULL does nothing. */
void contexts_free(struct contexts *contexts);

#endif
