/*
 * fitness.h - whether a leaf is still what its row asks for
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_FITNESS_H
#define CERTS_FITNESS_H

#include "certs/factory.h"

/*
 * Says why x509 cannot be the certificate of cert, a leaf's row of set, as the
 * end of a sentence ("has other host names"), or NULL: key, issuer, host names,
 * and that it is not past half of its life, or has expired if it shall have.
 * Keys and authorities of the set may still be NULL: then none fits.  May leave
 * errors in OpenSSL's queue.
 */
const char *
fitness_flaw(const struct cert_set *set, const struct cert *cert, X509 *x509);

#endif
