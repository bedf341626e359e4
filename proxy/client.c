/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/client.h"

#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool
is_mapped(const struct client *client)
{
    return memcmp(client->ip, mapped, sizeof mapped) == 0;
}

struct client
client_of(const struct net_address *address)
{
    struct client client = {{0}};

    if (address->sa.any.sa_family == AF_INET) {
        memcpy(client.ip, mapped, sizeof mapped);
        memcpy(client.ip + 12, &address->sa.v4.sin_addr, 4);
    } else if (address->sa.any.sa_family == AF_INET6) {
        memcpy(client.ip, &address->sa.v6.sin6_addr, 16);
    }
    if (is_mapped(&client) && client.ip[12] == 127)
        client = (struct client){{[15] = 1}};
    return client;
}

bool
client_equal(const struct client *a, const struct client *b)
{
    return memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

struct client
client_network(const struct client *client)
{
    struct client network = *client;

    if (!is_mapped(client))
        memset(network.ip + 8, 0, 8);
    return network;
}
