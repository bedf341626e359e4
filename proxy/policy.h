/*
 * policy.h - a row of the port table as a TLS context
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_POLICY_H
#define PROXY_POLICY_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "certs/factory.h"
#include "proxy/ports.h"
#include "proxy/tickets.h"

/* What contexts are made from; outlives them. */
struct policy_material {
    const struct cert_set *certs;
    const char *const *hostnames; /* acceptable server names */
    size_t hostname_count;
    uint8_t ticket_secret[TICKETS_SECRET_BYTES]; /* the same in all workers */
};

/*
 * Make the context of a TLS port.  Its connections must carry their event as
 * application data.  The caller frees it; NULL: the reason is logged.
 */
SSL_CTX *policy_context(const struct port_policy *policy,
                        const struct policy_material *material);

/*
 * What all contexts of ours have in common: modes, options, callbacks, versions
 * as on the wire.  Returns 0, or -1 with the reason in OpenSSL's error queue.
 */
int policy_prepare(SSL_CTX *context, int tls_min, int tls_max);

/* A resumed client verifies nothing, so a test port never lets one resume.
 * Returns as above. */
int policy_refuse_tickets(SSL_CTX *context);

#define POLICY_SESSION_BYTES 32 /* SHA-256, and the most that OpenSSL takes */

/* What a session is made under. */
struct policy_session {
    const char *port; /* its name */
    const X509 *leaf;
    const char *client_ca; /* a digest in words; NULL: none is wanted */
    const int *rules;      /* all else that a resumed client would skip */
    size_t rule_count;
};

/*
 * Make its digest the context's session-id context, and put it into id.  A
 * ticket is worth something only where all of it is the same: with one key and
 * one context for all ports, a ticket of `server1` would get past a required
 * client certificate.  Returns as above.
 */
int policy_set_session(SSL_CTX *context, const struct policy_session *session,
                       uint8_t id[POLICY_SESSION_BYTES]);

#endif
