/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/inbound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/proxy2.h"

#define FIXED_PART    16 /* signature, command, family, length */
#define LENGTH_OFFSET 14

/* How long the header is, as far as that is known. */
static size_t
wanted(const struct inbound *in)
{
    if (in->length < FIXED_PART)
        return FIXED_PART;
    return FIXED_PART
           + ((size_t)in->bytes[LENGTH_OFFSET] << 8
              | in->bytes[LENGTH_OFFSET + 1]);
}

static void
set_client(struct net_address *client, const struct proxy2_address *from)
{
    if (from->length == 4) {
        client->sa.v4 = (struct sockaddr_in){.sin_family = AF_INET};
        memcpy(&client->sa.v4.sin_addr, from->ip, 4);
        client->length = sizeof client->sa.v4;
    } else {
        client->sa.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
        memcpy(&client->sa.v6.sin6_addr, from->ip, 16);
        client->length = sizeof client->sa.v6;
    }
    net_set_port(client, from->port);
}

/* Look at what is there; INBOUND_MORE if that is not all. */
static enum inbound_status
look(struct inbound *in, struct net_address *client, const char **reason)
{
    struct proxy2 header;
    size_t size;

    switch (proxy2_decode(in->bytes, in->length, &header, &size, reason)) {
    case PROXY2_MORE:
        return INBOUND_MORE;
    case PROXY2_INVALID:
        return INBOUND_BROKEN;
    case PROXY2_OK:
        break;
    }
    if (!header.local && header.source.length != 0)
        set_client(client, &header.source);
    return INBOUND_DONE;
}

static enum inbound_status
read_on(struct inbound *in, int fd, struct net_address *client,
        const char **reason)
{
    while (true) {
        enum inbound_status status = look(in, client, reason);
        ssize_t n;

        if (status != INBOUND_MORE)
            return status;
        /* look() has refused what would not fit. */
        n = recv(fd, in->bytes + in->length, wanted(in) - in->length, 0);
        if (n > 0) {
            in->length += (size_t)n;
        } else if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
            return INBOUND_MORE;
        } else if (in->length == 0) {
            return INBOUND_PROBE;
        } else {
            *reason = "it is cut off";
            return INBOUND_BROKEN;
        }
    }
}

enum inbound_status
inbound_read(struct inbound *in, int fd, struct net_address *client,
             const char **reason)
{
    enum inbound_status status;

    if (in->bytes == NULL)
        in->bytes = malloc(PROXY2_MAX);
    if (in->bytes == NULL) {
        *reason = "there is no memory for it";
        return INBOUND_BROKEN;
    }
    status = read_on(in, fd, client, reason);
    if (status != INBOUND_MORE)
        inbound_drop(in);
    return status;
}

void
inbound_drop(struct inbound *in)
{
    free(in->bytes);
    *in = (struct inbound){.bytes = NULL};
}
