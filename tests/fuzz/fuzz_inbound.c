/*
 * fuzz_inbound.c - a load balancer's header from a socket, in any pieces
 *
 * Input: one byte for the size of the pieces, what the balancer sends.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/proxy2.h"
#include "proxy/inbound.h"
#include "tests/fuzz/fuzz.h"

#define ROOM (16 * 1024) /* a longer input proves nothing more */

/* Send piece by piece until the header is over; *sent is how much that took. */
static enum inbound_status
feed(struct inbound *in, const int pair[2], const struct fuzz_input *all,
     size_t piece, size_t *sent, struct net_address *client,
     const char **reason)
{
    enum inbound_status status = inbound_read(in, pair[0], client, reason);

    REQUIRE(status == INBOUND_MORE);
    while (status == INBOUND_MORE && *sent < all->left) {
        size_t n = all->left - *sent < piece ? all->left - *sent : piece;

        REQUIRE(send(pair[1], all->at + *sent, n, MSG_NOSIGNAL) == (ssize_t)n);
        *sent += n;
        status = inbound_read(in, pair[0], client, reason);
    }
    if (status == INBOUND_MORE) {
        shutdown(pair[1], SHUT_WR);
        status = inbound_read(in, pair[0], client, reason);
        REQUIRE(status == (*sent == 0 ? INBOUND_PROBE : INBOUND_BROKEN));
    }
    return status;
}

static void
check_client(const struct net_address *client, const struct net_address *peer,
             const struct proxy2 *header)
{
    if (header->local || header->source.length == 0) {
        REQUIRE(net_equal(client, peer));
        return;
    }
    REQUIRE(net_port(client) == header->source.port);
    if (header->source.length == 4)
        REQUIRE(memcmp(&client->sa.v4.sin_addr, header->source.ip, 4) == 0);
    else
        REQUIRE(memcmp(&client->sa.v6.sin6_addr, header->source.ip, 16) == 0);
}

/* What is behind the header is all still there. */
static void
check_rest(int fd, const uint8_t *rest, size_t length)
{
    static uint8_t read[ROOM];
    size_t used = 0;

    fuzz_read(fd, read, sizeof read, &used);
    REQUIRE(used == length);
    REQUIRE(memcmp(read, rest, used) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct fuzz_input input = {bytes, length};
    size_t piece = (size_t)fuzz_byte(&input) + 1;
    int lowest = fuzz_free_descriptor();
    struct inbound in = {.bytes = NULL};
    struct net_address peer, client;
    struct proxy2 header;
    const char *reason = NULL;
    size_t size = 0, sent = 0;
    enum proxy2_status whole;
    enum inbound_status status;
    int pair[2];

    if (input.left > ROOM)
        input.left = ROOM;
    whole = proxy2_decode(input.at, input.left, &header, &size, &reason);
    REQUIRE(net_numeric("192.0.2.9", 999, &peer));
    client = peer;
    fuzz_socketpair(pair);
    reason = NULL;
    status = feed(&in, pair, &input, piece, &sent, &client, &reason);
    REQUIRE(in.bytes == NULL);
    REQUIRE((status == INBOUND_DONE) == (whole == PROXY2_OK));
    if (status == INBOUND_DONE) {
        check_client(&client, &peer, &header);
        check_rest(pair[0], input.at + size, sent - size);
    } else {
        REQUIRE(net_equal(&client, &peer));
    }
    if (status == INBOUND_BROKEN)
        REQUIRE(reason != NULL && fuzz_is_printable(reason));
    net_close(&pair[0]);
    net_close(&pair[1]);
    REQUIRE(fuzz_free_descriptor() == lowest);
    return 0;
}
