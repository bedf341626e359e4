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

#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stddef.h>

#include "certs/specs.h"

/*
 * Add key identifiers, basic constraints and key usage to x509, whose public
 * key is set.  issuer is the authority's certificate, or x509 itself.  Returns
 * 0, or -1 with the reason in OpenSSL's error queue; x509 is then unusable.
 */
int extensions_add(X509 *x509, const X509 *issuer, enum cert_use use);

/* What follows replaces the extension if there is one, and returns as above. */

/* Any, by the structure that OpenSSL knows for it; NULL fails. */
int extensions_set(X509 *x509, int nid, void *value, bool critical);

/* A pathlen of -1: none. */
int extensions_set_constraints(X509 *x509, bool authority, int pathlen);

/*
 * A subjectAltName with all hostnames: an iPAddress for a numeric address,
 * otherwise a dNSName with exactly these characters.
 */
int extensions_set_hostnames(X509 *x509, char *const *hostnames, size_t count);

/* Set an empty name: GEN_DNS, or GEN_IPADD. */
int extensions_set_name(GENERAL_NAME *name, int type, const void *bytes,
                        size_t length);

#endif
