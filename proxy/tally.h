/*
 * tally.h - how many connections each client address has, over all workers
 *
 * Shared memory.  Every process counts in rows of its own, so that what a dead
 * one had counted can be taken back; a count is the sum over all rows.  Cells
 * are chosen by two keyed hashes, and the lower of the two is believed: a count
 * may be too high by chance, never too low, and nobody can choose addresses
 * that share cells with another's.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_TALLY_H
#define PROXY_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/net.h"

struct tally;

/* Where a client is counted. */
struct tally_key {
    uint16_t cells[2];
};

/* A tally shared with all processes forked later, for so many rows; NULL with
 * the reason logged. */
struct tally *tally_new(size_t rows);

/*
 * The key of a client: of an IPv4 address, or of the /64 that an IPv6 address
 * is in, as that is what one host can have for the asking.  The same client is
 * counted apart in each scope.
 */
struct tally_key tally_key(const struct tally *tally,
                           const struct net_address *client, uint32_t scope);

/* Count one more in one's own row; returns the sum over the first `rows`. */
unsigned
tally_add(struct tally *tally, size_t row, size_t rows, struct tally_key key);

/* Count one less. */
void tally_remove(struct tally *tally, size_t row, struct tally_key key);

/* The process of that row is gone, and its connections with it. */
void tally_clear(struct tally *tally, size_t row);

#endif
