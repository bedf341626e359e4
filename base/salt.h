/*
 * salt.h - the random salt of a challenge
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_SALT_H
#define BASE_SALT_H

#include <stddef.h>
#include <stdint.h>

#define SALT_LENGTH 12

/* Random bytes in stock, so that most salts need no system call. */
struct salt_pool {
    uint8_t bytes[256];
    size_t left;
};

/* Write SALT_LENGTH letters and digits and a NUL, every one equally likely, but
 * for the second one: a TLS client that reads it must see an error at once.
 * Returns -1, with errno set, if the kernel has no random bytes for us. */
int salt_make(struct salt_pool *pool, char out[SALT_LENGTH + 1]);

#endif
