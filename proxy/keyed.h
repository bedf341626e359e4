/*
 * keyed.h - hashes that nobody outside can foresee
 *
 * For tables whose keys come from peers: without the secret nobody can choose
 * keys that share a cell.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_KEYED_H
#define PROXY_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyed {
    unsigned char secret[16];
};

/* A new secret; -1 with the reason logged. */
int keyed_init(struct keyed *keyed);

/* SipHash-2-4 of the bytes; 0 if OpenSSL fails, and so all share a cell. */
uint64_t
keyed_hash(const struct keyed *keyed, const void *bytes, size_t length);

#endif
