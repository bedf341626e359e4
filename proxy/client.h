/*
 * client.h - who a client is, for its records and test names
 *
 * An address, with two allowances: IPv4 in its IPv6 form is IPv4, and all
 * loopback addresses are one client, which reaches one port over IPv4 and the
 * next one over IPv6.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CLIENT_H
#define PROXY_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"

struct client {
    uint8_t ip[16]; /* IPv4 addresses as ::ffff:a.b.c.d, loopback as ::1 */
};

struct client client_of(const struct net_address *address);

bool client_equal(const struct client *a, const struct client *b);

/* Whoever can have one address for the asking has all of a /64: the client that
 * limits count. */
struct client client_network(const struct client *client);

#endif
