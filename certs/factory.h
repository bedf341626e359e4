/*
 * factory.h - keys and certificates, made from the rows of specs.h
 *
 * A set holds one certificate for every row, in the same order.  Keys are made
 * once, in threads that are joined before cert_set_new() returns, so that the
 * caller may fork.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_FACTORY_H
#define CERTS_FACTORY_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "certs/specs.h"

struct cert {
    const struct cert_spec *spec;
    const struct cert *issuer;                /* itself if self-signed */
    const struct cert *sends[CERT_SENDS_MAX]; /* up to the first NULL */
    EVP_PKEY *key;
    X509 *x509;
};

struct cert_set {
    size_t count;
    struct cert *certs;
    char **hostnames; /* copies; a sound leaf carries them all */
    size_t hostname_count;
};

/*
 * Make keys and certificates for all rows.  hostnames are DNS names or numeric
 * IP addresses, at least one, none with a hostname_flaw(); the first is the
 * common name if it fits into the 64 characters of RFC 5280's ub-common-name.
 * Returns a set that the caller frees, or NULL with the reason logged.
 */
struct cert_set *cert_set_new(const char *const *hostnames, size_t count);

/*
 * The two halves of cert_set_new(), for who has some of it already: a set with
 * no keys and certificates yet, and the making of those that are still NULL.
 * A row that shares a key gets it by the latter.  cert_set_complete() returns
 * 0, or -1 with the reason logged and a set that is good for freeing.
 */
struct cert_set *cert_set_blank(const char *const *hostnames, size_t count);
int cert_set_complete(struct cert_set *set);

/* True of what is issued again, an intermediate authority too: not of those
 * that clients trust. */
bool cert_is_renewed(const struct cert *cert);

/*
 * Issue every such certificate again: same key, same issuer, new serial number
 * and validity.  Returns 0, or -1 with the reason logged and the set as it was.
 * The other one leaves out what --state keeps.
 */
int cert_set_renew(struct cert_set *set);
int cert_set_renew_fleeting(struct cert_set *set);

/* Seconds since the oldest leaf was issued. */
long cert_set_age(const struct cert_set *set);

/* The certificate of that name, owned by the set; NULL if there is none. */
const struct cert *cert_set_find(const struct cert_set *set, const char *name);

/*
 * SHA-256 over the certificate's DER form as 64 lower-case hex digits and NUL:
 * the certhash of a monetdbs:// URL.  Empty, and logged, if OpenSSL fails.
 */
void cert_hash(const X509 *x509, char hex[65]);

/* Frees set, keys and certificates; NULL does nothing. */
void cert_set_free(struct cert_set *set);

#endif
