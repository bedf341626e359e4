/*
 * keys.h - RSA keys, made in parallel
 *
 * Finding primes is nearly all that a start costs, hence the threads.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_KEYS_H
#define CERTS_KEYS_H

#include <openssl/evp.h>
#include <stddef.h>

#define KEYS_RSA_BITS 2048

/*
 * Make count RSA keys, which the caller frees.  Every thread is joined on
 * return, so that the caller may fork.  Returns 0, or -1 with the reason logged
 * and all of keys NULL.
 */
int keys_new(EVP_PKEY **keys, size_t count);

#endif
