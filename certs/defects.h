/*
 * defects.h - what makes a good certificate a bad one
 *
 * Each defect changes one thing, so that a client has one reason to refuse, and
 * nothing else hides it.  Keys, dates, digests and missing parts of a chain are
 * no business of this module: they are data of the row (specs.h).
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_DEFECTS_H
#define CERTS_DEFECTS_H

#include <openssl/x509.h>
#include <stddef.h>

#include "certs/specs.h"

/*
 * Apply a defect to a certificate that is complete but for its signature.
 * hostnames are those that it is for, at least one.  Returns 0, or -1 with the
 * reason in OpenSSL's error queue; x509 is then unusable.
 */
int defects_apply(enum cert_defect defect, X509 *x509, char *const *hostnames,
                  size_t count);

#endif
