/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/fitness.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <time.h>

#include "certs/extensions.h"

/* Seconds from now to a time in a certificate. */
static long
seconds_until(const ASN1_TIME *when, time_t now)
{
    ASN1_TIME *base = ASN1_TIME_set(NULL, now);
    int days = 0;
    int seconds = 0;

    if (base == NULL || !ASN1_TIME_diff(&days, &seconds, base, when))
        days = seconds = 0;
    ASN1_TIME_free(base);
    return days * 86400L + seconds;
}

/* Compared as they are encoded: the order counts, since the first is the
 * common name. */
static bool
has_hostnames(const X509 *x509, const struct cert_set *set)
{
    X509 *want = X509_new();
    const X509 *pair[2] = {x509, want};
    const ASN1_OCTET_STRING *values[2] = {NULL, NULL};
    bool same = false;

    if (want != NULL
        && extensions_set_hostnames(want, set->hostnames, set->hostname_count)
               == 0) {
        for (int i = 0; i < 2; i++) {
            int at = X509_get_ext_by_NID(pair[i], NID_subject_alt_name, -1);

            if (at >= 0)
                values[i] = X509_EXTENSION_get_data(X509_get_ext(pair[i], at));
        }
        same = values[0] != NULL && values[1] != NULL
               && ASN1_OCTET_STRING_cmp(values[0], values[1]) == 0;
    }
    X509_free(want);
    return same;
}

/* The key that cert has or is going to share; NULL: not made yet. */
static const EVP_PKEY *
key_of(const struct cert_set *set, const struct cert *cert)
{
    const char *owner = cert->spec->key_of;

    return owner == NULL ? cert->key : cert_set_find(set, owner)->key;
}

const char *
fitness_flaw(const struct cert_set *set, const struct cert *cert, X509 *x509)
{
    const struct cert *issuer = cert->issuer;
    const EVP_PKEY *key = key_of(set, cert);
    time_t now = time(NULL);
    long starts = seconds_until(X509_get0_notBefore(x509), now);
    long ends = seconds_until(X509_get0_notAfter(x509), now);

    if (key == NULL || EVP_PKEY_eq(X509_get0_pubkey(x509), key) != 1)
        return "has another key";
    if (issuer->x509 == NULL
        || X509_NAME_cmp(X509_get_issuer_name(x509),
                         X509_get_subject_name(issuer->x509))
               != 0
        || X509_verify(x509, issuer->key) != 1)
        return "has another issuer";
    if (!has_hostnames(x509, set))
        return "has other host names";
    if (cert->spec->ends_seconds <= 0)
        return ends < 0 ? NULL : "has not expired";
    if (starts > 0)
        return "is not valid yet";
    return starts + ends > 0 ? NULL : "is past half of its life";
}
