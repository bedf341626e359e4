/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/networks.h"

#include <string.h>

/* The bytes of an address as they are compared: v4-mapped ones are IPv4. */
static uint8_t
bytes_of(const struct net_address *address, const uint8_t **bytes)
{
    const struct in6_addr *ip6 = &address->sa.v6.sin6_addr;

    if (address->sa.any.sa_family == AF_INET) {
        *bytes = (const uint8_t *)&address->sa.v4.sin_addr;
        return 4;
    }
    if (IN6_IS_ADDR_V4MAPPED(ip6)) {
        *bytes = ip6->s6_addr + 12;
        return 4;
    }
    *bytes = ip6->s6_addr;
    return 16;
}

/* The bits of byte number i that count under a prefix of so many bits. */
static uint8_t
mask(unsigned bits, unsigned i)
{
    unsigned left = bits > 8 * i ? bits - 8 * i : 0;

    return left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);
}

/* Decimal digits and nothing else, none of them superfluous. */
static bool
parse_bits(const char *text, unsigned most, unsigned *bits)
{
    size_t length = strlen(text);

    if (length == 0 || length > 3 || strspn(text, "0123456789") != length
        || (*text == '0' && length > 1))
        return false;
    *bits = 0;
    for (; *text != '\0'; text++)
        *bits = 10 * *bits + (unsigned)(*text - '0');
    return *bits <= most;
}

const char *
networks_add(struct networks *networks, const char *text)
{
    struct network network = {0};
    struct net_address address;
    char host[NET_HOST_MAX] = "";
    size_t length = strcspn(text, "/");
    const uint8_t *bytes;
    unsigned whole, bits;

    if (networks->count == NETWORKS_MAX)
        return "is one too many";
    if (length < sizeof host)
        memcpy(host, text, length);
    if (!net_numeric(host, 0, &address))
        return "is no numeric address";
    whole = address.sa.any.sa_family == AF_INET ? 32 : 128;
    bits = whole;
    if (text[length] == '/' && !parse_bits(text + length + 1, whole, &bits))
        return whole == 32 ? "has no prefix length from 0 to 32 behind its '/'"
                           : "has no prefix length from 0 to 128 behind its "
                             "'/'";
    network.length = bytes_of(&address, &bytes);
    if (8u * network.length < whole) { /* v4-mapped: its prefix, too */
        if (bits < 96)
            return "has bits set behind its prefix";
        bits -= 96;
    }
    network.bits = (uint8_t)bits;
    memcpy(network.ip, bytes, network.length);
    for (unsigned i = 0; i < network.length; i++)
        if ((network.ip[i] & ~mask(bits, i)) != 0)
            return "has bits set behind its prefix";
    networks->list[networks->count++] = network;
    return NULL;
}

static bool
contains(const struct network *network, const uint8_t *bytes)
{
    for (unsigned i = 0; i < network->length; i++)
        if ((bytes[i] & mask(network->bits, i)) != network->ip[i])
            return false;
    return true;
}

bool
networks_contain(const struct networks *networks,
                 const struct net_address *address)
{
    const uint8_t *bytes;
    uint8_t length = bytes_of(address, &bytes);

    for (size_t i = 0; i < networks->count; i++)
        if (networks->list[i].length == length
            && contains(&networks->list[i], bytes))
            return true;
    return false;
}
