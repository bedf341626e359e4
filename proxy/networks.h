/*
 * networks.h - lists of IP networks (RFC 4632)
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_NETWORKS_H
#define PROXY_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"

#define NETWORKS_MAX 32

struct network {
    uint8_t length; /* of the address in bytes: 4 or 16 */
    uint8_t bits;   /* that count */
    uint8_t ip[16];
};

struct networks {
    struct network list[NETWORKS_MAX];
    size_t count;
};

/*
 * Append "10.0.0.0/8", "2001:db8::/32", or an address alone.  Returns NULL, or
 * a sentence fragment that says what is wrong ("has bits set behind its
 * prefix").
 */
const char *networks_add(struct networks *networks, const char *text);

/* True if the address is in one of them; v4-mapped ones count as IPv4. */
bool networks_contain(const struct networks *networks,
                      const struct net_address *address);

#endif
