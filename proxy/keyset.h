/*
 * keyset.h - keys, numbered in the order in which they are first seen
 *
 * For answers that merge what is equal: the caller keeps what belongs to a key
 * in an array of its own.  Keys are keyed hashes already (keyed.h).
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_KEYSET_H
#define PROXY_KEYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyset {
    size_t most, count;
    size_t mask;
    uint64_t *keys;
    uint32_t *cells; /* number of the key, from 1; 0: empty */
};

/* For at most so many keys; -1 without memory. */
int keyset_open(struct keyset *set, size_t most);

/* The number of a key, from 0, which may be new.  False: there are `most`
 * others. */
bool keyset_enter(struct keyset *set, uint64_t key, size_t *number);

void keyset_close(struct keyset *set);

#endif
