/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/extensions.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <string.h>

#include "certs/hostname.h"

/* Numbers of the bits in RFC 5280's KeyUsage; -1: no more. */
enum { DIGITAL_SIGNATURE = 0, KEY_ENCIPHERMENT = 2, CERT_SIGN = 5, CRL_SIGN };

static const struct {
    int bits[2];
    int extended; /* NID of the extended key usage; NID_undef: any */
} usages[] = {
    [CERT_AUTHORITY] = {{CERT_SIGN, CRL_SIGN}, NID_undef},
    [CERT_INTERMEDIATE] = {{CERT_SIGN, CRL_SIGN}, NID_undef},
    /* Key encipherment is for the RSA key exchange of TLS 1.2. */
    [CERT_SERVER] = {{DIGITAL_SIGNATURE, KEY_ENCIPHERMENT}, NID_server_auth},
    [CERT_CLIENT] = {{DIGITAL_SIGNATURE, -1}, NID_client_auth},
};

/* -1: no authority. */
static const int pathlens[] = {
    [CERT_AUTHORITY] = 1,
    [CERT_INTERMEDIATE] = 0,
    [CERT_SERVER] = -1,
    [CERT_CLIENT] = -1,
};

/* Values are built as structures throughout: OpenSSL's textual form would read
 * commas and colons in a host name as syntax. */
int
extensions_set(X509 *x509, int nid, void *value, bool critical)
{
    if (value == NULL)
        return -1;
    if (X509_add1_ext_i2d(x509, nid, value, critical, X509V3_ADD_REPLACE) != 1)
        return -1;
    return 0;
}

/* SHA-1 over the key's bits is RFC 5280's method 1: a name, not a defence. */
static int
add_subject_key_id(X509 *x509)
{
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length;
    int result = -1;

    if (id == NULL)
        goto done;
    if (!X509_pubkey_digest(x509, EVP_sha1(), digest, &length))
        goto done;
    if (!ASN1_OCTET_STRING_set(id, digest, (int)length))
        goto done;
    result = extensions_set(x509, NID_subject_key_identifier, id, false);

done:
    ASN1_OCTET_STRING_free(id);
    return result;
}

/* Decoded afresh, since X509_get0_subject_key_id() would make OpenSSL remember
 * the extensions of a self-signed certificate that is not finished yet. */
static int
add_authority_key_id(X509 *x509, const X509 *issuer)
{
    AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();
    int result = -1;

    if (id == NULL)
        goto done;
    id->keyid =
        X509_get_ext_d2i(issuer, NID_subject_key_identifier, NULL, NULL);
    if (id->keyid == NULL)
        goto done;
    result = extensions_set(x509, NID_authority_key_identifier, id, false);

done:
    AUTHORITY_KEYID_free(id);
    return result;
}

int
extensions_set_constraints(X509 *x509, bool authority, int pathlen)
{
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    int result = -1;

    if (constraints == NULL)
        goto done;
    constraints->ca = authority ? 0xff : 0; /* TRUE in DER */
    if (pathlen >= 0) {
        constraints->pathlen = ASN1_INTEGER_new();
        if (constraints->pathlen == NULL
            || !ASN1_INTEGER_set(constraints->pathlen, pathlen))
            goto done;
    }
    result = extensions_set(x509, NID_basic_constraints, constraints, true);

done:
    BASIC_CONSTRAINTS_free(constraints);
    return result;
}

static int
add_key_usage(X509 *x509, enum cert_use use)
{
    bool rsa = EVP_PKEY_get_base_id(X509_get0_pubkey(x509)) == EVP_PKEY_RSA;
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    int result = -1;

    if (bits == NULL)
        goto done;
    for (size_t i = 0; i < 2 && usages[use].bits[i] != -1; i++) {
        /* RFC 5480, 3: an EC key enciphers none. */
        if (usages[use].bits[i] == KEY_ENCIPHERMENT && !rsa)
            continue;
        if (!ASN1_BIT_STRING_set_bit(bits, usages[use].bits[i], 1))
            goto done;
    }
    result = extensions_set(x509, NID_key_usage, bits, true);

done:
    ASN1_BIT_STRING_free(bits);
    return result;
}

static int
add_extended_key_usage(X509 *x509, enum cert_use use)
{
    EXTENDED_KEY_USAGE *purposes;
    int result = -1;

    if (usages[use].extended == NID_undef)
        return 0;
    purposes = EXTENDED_KEY_USAGE_new();
    if (purposes == NULL)
        goto done;
    /* The object is of OpenSSL's static table: not ours to free. */
    if (!sk_ASN1_OBJECT_push(purposes, OBJ_nid2obj(usages[use].extended)))
        goto done;
    result = extensions_set(x509, NID_ext_key_usage, purposes, false);

done:
    EXTENDED_KEY_USAGE_free(purposes);
    return result;
}

int
extensions_add(X509 *x509, const X509 *issuer, enum cert_use use)
{
    /* The authority's own identifier is what a self-signed one refers to. */
    if (add_subject_key_id(x509) == -1)
        return -1;
    if (add_authority_key_id(x509, issuer) == -1)
        return -1;
    if (extensions_set_constraints(x509, pathlens[use] >= 0, pathlens[use])
        == -1)
        return -1;
    if (add_key_usage(x509, use) == -1)
        return -1;
    return add_extended_key_usage(x509, use);
}

int
extensions_set_name(GENERAL_NAME *name, int type, const void *bytes,
                    size_t length)
{
    ASN1_STRING *value = ASN1_STRING_type_new(
        type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

    if (value == NULL)
        return -1;
    if (!ASN1_STRING_set(value, bytes, (int)length)) {
        ASN1_STRING_free(value);
        return -1;
    }
    GENERAL_NAME_set0_value(name, type, value);
    return 0;
}

static int
set_hostname(GENERAL_NAME *name, const char *hostname)
{
    unsigned char ip[16];
    size_t length = hostname_address(hostname, ip);

    if (length > 0)
        return extensions_set_name(name, GEN_IPADD, ip, length);
    return extensions_set_name(name, GEN_DNS, hostname, strlen(hostname));
}

int
extensions_set_hostnames(X509 *x509, char *const *hostnames, size_t count)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    int result = -1;

    if (names == NULL)
        goto done;
    for (size_t i = 0; i < count; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();

        if (name == NULL || !sk_GENERAL_NAME_push(names, name)) {
            GENERAL_NAME_free(name);
            goto done;
        }
        if (set_hostname(name, hostnames[i]) == -1)
            goto done;
    }
    result = extensions_set(x509, NID_subject_alt_name, names, false);

done:
    GENERAL_NAMES_free(names);
    return result;
}
