/*
 * extensions.h - the X.509 extensions of a certificate
 *
 * What RFC 5280 wants of an authority and of a leaf, and what OpenSSL's
 * X509_V_FLAG_X509_STRICT checks.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_EXTENSIONS_H
#define CERTS_EXTENSIONS_H

#include <openssl/x509.h>
#include <stddef.h>

#include "certs/specs.h"

/*
 * Add key identifiers, basic constraints and key usage to x509, whose public
 * key is set.  issuer is the authority's certificate, or x509 itself.  Returns
 * 0, or -1 with the reason in OpenSSL's error queue; x509 is then unusable.
 */
int extensions_add(X509 *x509, const X509 *issuer, enum cert_use use);

/*
 * Add a subjectAltName with all hostnames: an iPAddress for a numeric address,
 * otherwise a dNSName with exactly these characters.  Returns as above.
 */
int extensions_add_hostnames(X509 *x509, char *const *hostnames, size_t count);

#endif
