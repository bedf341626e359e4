/* SPDX-License-Identifier: MPL-2.0 */
#include "base/salt.h"

#include <sys/random.h>
#include <sys/types.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz"
                               "0123456789";

/*
 * To a client that speaks TLS, the salt's second and third character are the
 * length of a record.  From here on it is more than any record may have (18 kB
 * in TLS 1.2); below, NSS waits for the rest instead of failing.
 */
#define SECOND_LEAST 'I'

static int
refill(struct salt_pool *pool)
{
    /* The kernel gives up to 256 bytes whole or not at all. */
    ssize_t n = getrandom(pool->bytes, sizeof pool->bytes, 0);

    if (n != (ssize_t)sizeof pool->bytes)
        return -1;
    pool->left = sizeof pool->bytes;
    return 0;
}

int
salt_make(struct salt_pool *pool, char out[SALT_LENGTH + 1])
{
    size_t made = 0;

    while (made < SALT_LENGTH) {
        unsigned index;

        if (pool->left == 0 && refill(pool) == -1)
            return -1;
        /* Six bits; what falls outside is thrown away, because a modulo would
         * favour the first letters. */
        index = pool->bytes[--pool->left] & 63;
        if (index >= sizeof alphabet - 1
            || (made == 1 && alphabet[index] < SECOND_LEAST))
            continue;
        out[made++] = alphabet[index];
    }
    out[made] = '\0';
    return 0;
}
