/*
 * deeds.h - what hostile ports do to a client's TLS (ports.md, "hostile")
 *
 * A deed is done at one moment of a connection, or over all of it: at the
 * ClientHello by its context, from the handshake's end on by its endpoint, or
 * with the last message.  What is not TLS but MAPI is the simulator's to do
 * wrong (mapisim/behaviour.h).
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_DEEDS_H
#define PROXY_DEEDS_H

#include <openssl/ssl.h>

#include "proxy/endpoint.h"
#include "proxy/ports.h"

/* Have the context do what the deed does at a ClientHello, if anything. */
void deed_prepare(SSL_CTX *context, enum port_deed deed);

/* The handshake is complete.  Returns the deed if it is still to be done. */
enum port_deed deed_begin(enum port_deed deed, struct endpoint *client);

/* The client has sent something, so what it is sent next is the last message.
 * Returns as above. */
enum port_deed deed_answer(enum port_deed deed, struct endpoint *client);

#endif
