/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/factory.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "certs/defects.h"
#include "certs/extensions.h"
#include "certs/hostname.h"
#include "certs/keys.h"

#define COMMON_NAME_MAX 64 /* RFC 5280's ub-common-name */

/* 20 octets, the most that RFC 5280 allows, with the sign bit clear.  As the
 * top bit is always set, a serial number is never zero. */
#define SERIAL_BITS 159

#define DAY_SECONDS 86400L

static int
check_hostnames(const char *const *hostnames, size_t count)
{
    if (count == 0) {
        log_error("no host name to make certificates for");
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const char *flaw = hostname_flaw(hostnames[i]);
        char shown[200];

        if (flaw == NULL)
            continue;
        log_escape(shown, sizeof shown, hostnames[i], strlen(hostnames[i]));
        log_error("host name \"%s\" %s", shown, flaw);
        return -1;
    }
    return 0;
}

static int
copy_hostnames(struct cert_set *set, const char *const *hostnames, size_t count)
{
    set->hostnames = calloc(count, sizeof *set->hostnames);
    if (set->hostnames == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        set->hostnames[i] = strdup(hostnames[i]);
        if (set->hostnames[i] == NULL)
            return -1;
        set->hostname_count++;
    }
    return 0;
}

/* Find the rows that a row names. */
static int
link_row(const struct cert_set *set, struct cert *cert)
{
    const struct cert_spec *spec = cert->spec;

    cert->issuer =
        spec->issuer == NULL ? cert : cert_set_find(set, spec->issuer);
    if (cert->issuer == NULL)
        return -1;
    for (size_t i = 0; i < CERT_SENDS_MAX && spec->sends[i] != NULL; i++) {
        cert->sends[i] = cert_set_find(set, spec->sends[i]);
        if (cert->sends[i] == NULL)
            return -1;
    }
    return 0;
}

/* set->count grows row by row, so that only rows above are found. */
static int
link_rows(struct cert_set *set)
{
    set->certs = calloc(cert_spec_count, sizeof *set->certs);
    if (set->certs == NULL)
        return -1;
    while (set->count < cert_spec_count) {
        struct cert *cert = &set->certs[set->count];

        cert->spec = &cert_specs[set->count];
        if (link_row(set, cert) == -1)
            return -1;
        set->count++;
    }
    return 0;
}

/* Give cert the key of the row that owns it. */
static int
share_key(const struct cert_set *set, struct cert *cert)
{
    const struct cert *owner = cert_set_find(set, cert->spec->key_of);

    if (owner == NULL || owner->key == NULL || !EVP_PKEY_up_ref(owner->key)) {
        log_error("%s: cannot have the key of %s", cert->spec->name,
                  cert->spec->key_of);
        return -1;
    }
    cert->key = owner->key;
    return 0;
}

/* True if cert still needs a key of its own. */
static bool
lacks_key(const struct cert *cert)
{
    return cert->spec->key_of == NULL && cert->key == NULL;
}

static int
make_keys(struct cert_set *set)
{
    EVP_PKEY **keys = calloc(set->count, sizeof *keys);
    enum cert_key *kinds = calloc(set->count, sizeof *kinds);
    size_t lacking = 0;
    int result = -1;

    if (keys == NULL || kinds == NULL) {
        log_errno("cannot make keys");
        goto done;
    }
    for (size_t i = 0; i < set->count; i++)
        if (lacks_key(&set->certs[i]))
            kinds[lacking++] = set->certs[i].spec->key;
    if (keys_new(keys, kinds, lacking) == -1)
        goto done;
    /* Hand out all of them before anything can fail: the set frees them. */
    for (size_t i = set->count; i-- > 0;) {
        if (lacks_key(&set->certs[i]))
            set->certs[i].key = keys[--lacking];
    }
    for (size_t i = 0; i < set->count; i++) {
        if (set->certs[i].key == NULL && share_key(set, &set->certs[i]) == -1)
            goto done;
    }
    result = 0;

done:
    free(keys);
    free(kinds);
    return result;
}

static int
set_serial(X509 *x509)
{
    BIGNUM *number = BN_new();
    int result = -1;

    if (number == NULL)
        goto done;
    if (!BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY))
        goto done;
    if (BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) == NULL)
        goto done;
    result = 0;

done:
    BN_free(number);
    return result;
}

static bool
is_authority(const struct cert_spec *spec)
{
    return spec->use == CERT_AUTHORITY || spec->use == CERT_INTERMEDIATE;
}

static int
set_subject(X509 *x509, const struct cert_set *set,
            const struct cert_spec *spec)
{
    X509_NAME *subject = X509_get_subject_name(x509);
    const char *common_name = set->hostnames[0];
    char organization[64];

    if (spec->subject_of != NULL)
        return X509_set_subject_name(
                   x509, X509_get_subject_name(
                             cert_set_find(set, spec->subject_of)->x509))
                       == 1
                   ? 0
                   : -1;
    if (is_authority(spec))
        common_name = "The Certificate Authority";
    snprintf(organization, sizeof organization, "Org %s", spec->name);
    if (!X509_NAME_add_entry_by_NID(
            subject, NID_organizationName, MBSTRING_UTF8,
            (const unsigned char *)organization, -1, -1, 0))
        return -1;
    if (strlen(common_name) > COMMON_NAME_MAX)
        return 0;
    if (!X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                    (const unsigned char *)common_name, -1, -1,
                                    0))
        return -1;
    return 0;
}

static int
set_validity(X509 *x509, const struct cert_spec *spec, time_t now)
{
    ASN1_TIME *starts = X509_getm_notBefore(x509);
    ASN1_TIME *ends = X509_getm_notAfter(x509);

    if (X509_time_adj_ex(starts, 0, spec->starts_seconds, &now) == NULL)
        return -1;
    if (X509_time_adj_ex(ends, 0, spec->ends_seconds, &now) == NULL)
        return -1;
    return 0;
}

/* The certificate of cert's row, which the caller frees; NULL: logged. */
static X509 *
issue(const struct cert_set *set, const struct cert *cert, time_t now)
{
    const struct cert_spec *spec = cert->spec;
    X509 *x509 = X509_new();
    X509 *issued = NULL;
    const X509 *issuer = cert->issuer == cert ? x509 : cert->issuer->x509;

    ERR_clear_error();
    if (x509 == NULL || !X509_set_version(x509, X509_VERSION_3))
        goto done;
    if (!X509_set_pubkey(x509, cert->key) || set_serial(x509) == -1)
        goto done;
    if (set_subject(x509, set, spec) == -1)
        goto done;
    if (!X509_set_issuer_name(x509, X509_get_subject_name(issuer)))
        goto done;
    if (set_validity(x509, spec, now) == -1)
        goto done;
    if (extensions_add(x509, issuer, spec->use) == -1)
        goto done;
    if (!is_authority(spec)
        && extensions_set_hostnames(x509, set->hostnames, set->hostname_count)
               == -1)
        goto done;
    if (defects_apply(spec->defect, x509, set->hostnames, set->hostname_count)
        == -1)
        goto done;
    if (X509_sign(x509, cert->issuer->key,
                  spec->sha1 ? EVP_sha1() : EVP_sha256())
        == 0)
        goto done;
    issued = x509;
    x509 = NULL;

done:
    if (issued == NULL)
        log_tls("%s: cannot issue the certificate", spec->name);
    X509_free(x509);
    return issued;
}

struct cert_set *
cert_set_blank(const char *const *hostnames, size_t count)
{
    struct cert_set *set;

    if (check_hostnames(hostnames, count) == -1)
        return NULL;
    set = calloc(1, sizeof *set);
    if (set != NULL && copy_hostnames(set, hostnames, count) == 0
        && link_rows(set) == 0)
        return set;
    log_error("cannot set up the certificates");
    cert_set_free(set);
    return NULL;
}

int
cert_set_complete(struct cert_set *set)
{
    time_t now = time(NULL);

    if (make_keys(set) == -1)
        return -1;
    for (size_t i = 0; i < set->count; i++) {
        struct cert *cert = &set->certs[i];

        if (cert->x509 == NULL)
            cert->x509 = issue(set, cert, now);
        if (cert->x509 == NULL)
            return -1;
    }
    return 0;
}

struct cert_set *
cert_set_new(const char *const *hostnames, size_t count)
{
    struct cert_set *set = cert_set_blank(hostnames, count);

    if (set != NULL && cert_set_complete(set) == 0)
        return set;
    cert_set_free(set);
    return NULL;
}

bool
cert_is_renewed(const struct cert *cert)
{
    return cert->spec->use != CERT_AUTHORITY;
}

/* An issuer that is renewed, too, keeps its subject and key: it does not matter
 * which of its certificates is looked at. */
static int
renew(struct cert_set *set, bool fleeting_only)
{
    X509 **issued = calloc(set->count, sizeof *issued);
    time_t now = time(NULL);
    int result = -1;

    if (issued == NULL) {
        log_errno("cannot renew the certificates");
        goto done;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (!cert_is_renewed(&set->certs[i])
            || (fleeting_only && !set->certs[i].spec->fleeting))
            continue;
        issued[i] = issue(set, &set->certs[i], now);
        if (issued[i] == NULL)
            goto done;
    }
    /* Nothing can fail any more: swap, and free the old ones below. */
    for (size_t i = 0; i < set->count; i++) {
        X509 *old = set->certs[i].x509;

        if (issued[i] == NULL)
            continue;
        set->certs[i].x509 = issued[i];
        issued[i] = old;
    }
    result = 0;

done:
    for (size_t i = 0; issued != NULL && i < set->count; i++)
        X509_free(issued[i]);
    free(issued);
    return result;
}

int
cert_set_renew(struct cert_set *set)
{
    return renew(set, false);
}

int
cert_set_renew_fleeting(struct cert_set *set)
{
    return renew(set, true);
}

long
cert_set_age(const struct cert_set *set)
{
    ASN1_TIME *now = ASN1_TIME_set(NULL, time(NULL));
    long oldest = 0;

    for (size_t i = 0; now != NULL && i < set->count; i++) {
        const struct cert *cert = &set->certs[i];
        int days;
        int seconds;
        long age;

        if (!cert_is_renewed(cert)
            || !ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(cert->x509),
                               now))
            continue;
        age = days * DAY_SECONDS + seconds + cert->spec->starts_seconds;
        if (age > oldest)
            oldest = age;
    }
    ASN1_TIME_free(now);
    return oldest;
}

const struct cert *
cert_set_find(const struct cert_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->certs[i].spec->name, name) == 0)
            return &set->certs[i];
    }
    return NULL;
}

void
cert_hash(const X509 *x509, char hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;

    hex[0] = '\0';
    ERR_clear_error();
    if (!X509_digest(x509, EVP_sha256(), digest, &length))
        log_tls("cannot hash a certificate");
    for (unsigned int i = 0; i < length && i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

void
cert_set_free(struct cert_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++) {
        X509_free(set->certs[i].x509);
        EVP_PKEY_free(set->certs[i].key);
    }
    for (size_t i = 0; i < set->hostname_count; i++)
        free(set->hostnames[i]);
    free(set->certs);
    free(set->hostnames);
    free(set);
}
