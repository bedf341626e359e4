/*
 * specs.h - which certificates there are: a row each
 *
 * Data only.  The factory makes keys and certificates from the rows, in their
 * order: an issuer stands before what it issues, and a key's owner before who
 * shares it.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_SPECS_H
#define CERTS_SPECS_H

#include <stdbool.h>
#include <stddef.h>

enum cert_use {
    CERT_AUTHORITY, /* CA:TRUE, pathlen 1, keyCertSign and cRLSign */
    CERT_SERVER,    /* extendedKeyUsage serverAuth */
    CERT_CLIENT,    /* extendedKeyUsage clientAuth */
};

struct cert_spec {
    const char *name;   /* "server1": files, certificate of a port, O= */
    const char *issuer; /* the name of another row; NULL: self-signed */
    const char *key_of; /* the row whose key it has; NULL: a key of its own */
    enum cert_use use;
    long starts_seconds; /* notBefore and notAfter, relative to now */
    long ends_seconds;
    bool keycrt; /* serve NAME.keycrt too: key, then chain */
};

/* All rows; cert_spec_count of them. */
extern const struct cert_spec cert_specs[];
extern const size_t cert_spec_count;

#endif
