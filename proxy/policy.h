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

#endif
