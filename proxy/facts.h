/*
 * facts.h - what OpenSSL knows of a connection, noted in its event
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_FACTS_H
#define PROXY_FACTS_H

#include <openssl/ssl.h>

#include "proxy/event.h"

/* Note version, cipher, names and client certificate, as far as negotiated. */
void facts_session(struct event *event, SSL *ssl);

/* Note why TLS failed: reason is the first entry of the error queue. */
void facts_failure(struct event *event, const SSL *ssl, unsigned long reason);

#endif
