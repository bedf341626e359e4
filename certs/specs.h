/*
 * specs.h - which certificates there are: a row each
 *
 * Data only.  The factory makes keys and certificates from the rows, in their
 * order: an issuer stands before what it issues, and the owner of a key or a
 * subject before who shares it.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_SPECS_H
#define CERTS_SPECS_H

#include <stdbool.h>
#include <stddef.h>

#define CERT_SENDS_MAX 3

enum cert_use {
    CERT_AUTHORITY,    /* CA:TRUE, pathlen 1, keyCertSign and cRLSign */
    CERT_INTERMEDIATE, /* the same with pathlen 0, and renewed like a leaf */
    CERT_SERVER,       /* extendedKeyUsage serverAuth */
    CERT_CLIENT,       /* extendedKeyUsage clientAuth */
};

enum cert_key { CERT_RSA_2048, CERT_RSA_1024, CERT_P256 };

/* What is done to a certificate that is well made otherwise: defects.h. */
enum cert_defect {
    DEFECT_NONE,
    DEFECT_NOT_CA,           /* CA:FALSE */
    DEFECT_NO_CERTSIGN,      /* a key usage without keyCertSign */
    DEFECT_EXCLUDED,         /* name constraints exclude all host names */
    DEFECT_PERMITTED,        /* name constraints permit just those */
    DEFECT_CRITICAL,         /* a critical extension that nobody knows */
    DEFECT_WRONG_HOST,       /* is for another host */
    DEFECT_CN_ONLY,          /* no subjectAltName */
    DEFECT_CN_TRAP,          /* a subjectAltName of another host only */
    DEFECT_PARTIAL_WILDCARD, /* "local*.localdomain" */
    DEFECT_CAPITALS,         /* host names in capitals */
    DEFECT_LEAF_CA,          /* CA:TRUE */
    DEFECT_MANY_NAMES,       /* more host names than fit into one record */
    DEFECT_COUNT
};

/* What is served of a row. */
enum cert_files {
    FILES_USUAL,  /* NAME.key, NAME.crt, NAME.der */
    FILES_KEYCRT, /* NAME.keycrt too: key, then chain */
    FILES_CHAIN,  /* NAME.chain.pem alone: exactly what a server sends */
    FILES_NONE,
};

struct cert_spec {
    const char *name;   /* "server1": files, certificate of a port, O= */
    const char *issuer; /* the name of another row; NULL: self-signed */
    const char *key_of; /* the row whose key it has; NULL: a key of its own */
    const char *subject_of; /* the row whose subject it has; NULL: its own */
    const char *sends[CERT_SENDS_MAX]; /* rows that a server sends after it */
    enum cert_use use;
    enum cert_key key;
    enum cert_defect defect;
    enum cert_files files;
    bool sha1;           /* the digest that is signed; SHA-256 otherwise */
    bool fleeting;       /* made anew at each start: never in --state */
    long starts_seconds; /* notBefore and notAfter, relative to now */
    long ends_seconds;
};

/* All rows; cert_spec_count of them. */
extern const struct cert_spec cert_specs[];
extern const size_t cert_spec_count;

#endif
