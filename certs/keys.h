/*
 * keys.h - private keys, made in parallel
 *
 * Finding primes for RSA is nearly all that a start costs, hence the threads.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_KEYS_H
#define CERTS_KEYS_H

#include <openssl/evp.h>
#include <stddef.h>

#include "certs/specs.h"

/*
 * Make count keys of these kinds, which the caller frees.  Every thread is
 * joined on return, so that the caller may fork.  Returns 0, or -1 with the
 * reason logged and all of keys NULL.
 */
int keys_new(EVP_PKEY **keys, const enum cert_key *kinds, size_t count);

#endif
