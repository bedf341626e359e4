/*
 * test_factory.c - what the generated certificates say and who accepts them
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "certs/factory.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define ROWS_MAX 100

#define X61 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X63 X61 "xx"
#define X64 X63 "x"

static const char *const hostnames[] = {
    "localhost.localdomain", "127.0.0.1", "::1",
    "2001:db8::192.0.2.1",   "a,DNS:b",   "+1.2.3.4",
};

#define HOSTNAME_COUNT (sizeof hostnames / sizeof hostnames[0])

/* One set for all tests, since keys are slow. */
static struct cert_set *set;

static int
make_set(void **state)
{
    (void)state;
    set = cert_set_new(hostnames, HOSTNAME_COUNT);
    return set != NULL ? 0 : -1;
}

static int
free_set(void **state)
{
    (void)state;
    cert_set_free(set);
    return 0;
}

static const struct cert *
find(const char *name)
{
    const struct cert *cert = cert_set_find(set, name);

    assert_non_null(cert);
    return cert;
}

/* server1's certificate with another first host name; keys stay, to save the
 * time of making others. */
static const X509 *
reissue(const char *hostname)
{
    char *own = set->hostnames[0];
    int result;

    set->hostnames[0] = (char *)hostname;
    result = cert_set_renew(set);
    set->hostnames[0] = own;
    assert_int_equal(result, 0);
    return find("server1")->x509;
}

struct check {
    const char *leaf;
    const char *authority;
    int purpose;      /* 0: not checked */
    const char *host; /* NULL: not checked */
    const char *ip;   /* NULL: not checked */
    int want;         /* X509_V_OK or the error */
};

/* The result of a strict verification, as the strictest clients do it. */
static int
verify(const struct check *check)
{
    X509_STORE *trusted = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;
    int error;

    assert_int_equal(X509_STORE_add_cert(trusted, find(check->authority)->x509),
                     1);
    assert_int_equal(
        X509_STORE_CTX_init(context, trusted, find(check->leaf)->x509, NULL),
        1);
    param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    if (check->purpose != 0)
        X509_VERIFY_PARAM_set_purpose(param, check->purpose);
    if (check->host != NULL)
        X509_VERIFY_PARAM_set1_host(param, check->host, 0);
    if (check->ip != NULL)
        assert_int_equal(X509_VERIFY_PARAM_set1_ip_asc(param, check->ip), 1);
    X509_verify_cert(context);
    error = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(trusted);
    ERR_clear_error();
    return error;
}

/* Would catch a missing extension, a wrong signature or date, and names or
 * purposes that clients do not accept, or accept wrongly. */
static void
verification(void **state)
{
    enum { SERVER = X509_PURPOSE_SSL_SERVER, CLIENT = X509_PURPOSE_SSL_CLIENT };
    const char *host = hostnames[0];
    const int stranger = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    const int other_ip = X509_V_ERR_IP_ADDRESS_MISMATCH;
    const int other_host = X509_V_ERR_HOSTNAME_MISMATCH;
    const struct check checks[] = {
        {"server1", "ca1", SERVER, host, NULL, X509_V_OK},
        {"server2", "ca2", SERVER, host, NULL, X509_V_OK},
        {"server3", "ca3", SERVER, host, NULL, X509_V_OK},
        {"client2", "ca2", CLIENT, NULL, NULL, X509_V_OK},
        {"server1", "ca1", SERVER, "LOCALHOST.localdomain", NULL, X509_V_OK},
        {"server1", "ca1", SERVER, NULL, "127.0.0.1", X509_V_OK},
        {"server1", "ca1", SERVER, NULL, "::1", X509_V_OK},
        {"server1", "ca1", SERVER, NULL, "2001:db8::c000:201", X509_V_OK},
        {"server1", "ca1", SERVER, NULL, "127.0.0.2", other_ip},
        {"server1", "ca1", SERVER, NULL, "1.2.3.4", other_ip},
        {"server1", "ca1", SERVER, "localhost", NULL, other_host},
        {"server1", "ca1", SERVER, "127.0.0.1", NULL, other_host},
        {"server1", "ca1", SERVER, "b", NULL, other_host},
        {"server1x", "ca1", SERVER, host, NULL, X509_V_ERR_CERT_HAS_EXPIRED},
        {"server1", "ca2", SERVER, host, NULL, stranger},
        {"client2", "ca1", CLIENT, NULL, NULL, stranger},
        {"client1", "ca1", CLIENT, NULL, NULL, X509_V_OK},
        {"client1", "ca2", CLIENT, NULL, NULL, stranger},
        {"client2x", "ca2", CLIENT, NULL, NULL, X509_V_ERR_CERT_HAS_EXPIRED},
        {"client2_impostor", "ca2", CLIENT, NULL, NULL, stranger},
        {"server2", "ca2", CLIENT, NULL, NULL, X509_V_ERR_INVALID_PURPOSE},
        {"client2", "ca2", SERVER, NULL, NULL, X509_V_ERR_INVALID_PURPOSE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int error = verify(&checks[i]);

        if (error != checks[i].want)
            fail_msg("row %zu, %s by %s: %s", i, checks[i].leaf,
                     checks[i].authority, X509_verify_cert_error_string(error));
    }
}

/* Would catch an authority of which a strict client says that it is none. */
static void
authorities_verify_themselves(void **state)
{
    static const char *const names[] = {"ca1", "ca2", "ca3", "ca_ecdsa"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const struct check check = {.leaf = names[i], .authority = names[i]};
        X509 *x509 = find(names[i])->x509;

        assert_int_equal(verify(&check), X509_V_OK);
        assert_int_equal(X509_check_ca(x509), 1);
        assert_int_equal(X509_get_pathlen(x509), 1);
        assert_int_equal(X509_get_key_usage(x509),
                         KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    }
}

/* Would catch an extension that lost its critical flag, or a doubled one. */
static void
critical_extensions(void **state)
{
    static const struct {
        int nid;
        int critical;
    } rows[] = {
        {NID_basic_constraints, 1},
        {NID_key_usage, 1},
        {NID_ext_key_usage, 0},
        {NID_subject_key_identifier, 0},
        {NID_authority_key_identifier, 0},
        {NID_subject_alt_name, 0},
    };
    const X509 *leaf = find("server1")->x509;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int at = X509_get_ext_by_NID(leaf, rows[i].nid, -1);

        assert_true(at >= 0);
        assert_int_equal(X509_EXTENSION_get_critical(X509_get_ext(leaf, at)),
                         rows[i].critical);
        assert_int_equal(X509_get_ext_by_NID(leaf, rows[i].nid, at), -1);
    }
    assert_int_equal(X509_get_ext_count(leaf), sizeof rows / sizeof rows[0]);
}

/* Would catch "a,DNS:b" becoming two names, and addresses as DNS names. */
static void
alternative_names(void **state)
{
    static const struct {
        int type;
        int length;
        const char *bytes;
    } want[] = {
        {GEN_DNS, 21, "localhost.localdomain"},
        {GEN_IPADD, 4, "\x7f\0\0\1"},
        {GEN_IPADD, 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
        {GEN_IPADD, 16, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\xc0\0\2\1"},
        {GEN_DNS, 7, "a,DNS:b"},
        {GEN_DNS, 8, "+1.2.3.4"},
    };
    GENERAL_NAMES *names = X509_get_ext_d2i(find("client2")->x509,
                                            NID_subject_alt_name, NULL, NULL);

    (void)state;
    assert_int_equal(sk_GENERAL_NAME_num(names), HOSTNAME_COUNT);
    for (int i = 0; i < (int)HOSTNAME_COUNT; i++) {
        int type;
        const ASN1_STRING *value =
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);

        assert_int_equal(type, want[i].type);
        assert_int_equal(ASN1_STRING_length(value), want[i].length);
        assert_memory_equal(ASN1_STRING_get0_data(value), want[i].bytes,
                            want[i].length);
    }
    GENERAL_NAMES_free(names);
    assert_null(
        X509_get_ext_d2i(find("ca1")->x509, NID_subject_alt_name, NULL, NULL));
}

/* The text of a subject's field; empty if it has none. */
static const char *
field(const X509 *x509, int nid)
{
    static char text[256];

    text[0] = '\0';
    X509_NAME_get_text_by_NID(X509_get_subject_name(x509), nid, text,
                              sizeof text);
    return text;
}

/* Would catch subjects that the clients' tests do not recognize. */
static void
subjects(void **state)
{
    (void)state;
    for (size_t i = 0; i < set->count; i++) {
        const struct cert *cert = &set->certs[i];
        const char *name = cert->spec->subject_of;
        bool authority = cert->spec->use == CERT_AUTHORITY
                         || cert->spec->use == CERT_INTERMEDIATE;
        char organization[64];

        if (name == NULL)
            name = cert->spec->name;
        snprintf(organization, sizeof organization, "Org %s", name);
        assert_string_equal(field(cert->x509, NID_organizationName),
                            organization);
        if (cert->spec->defect == DEFECT_WRONG_HOST
            || cert->spec->defect == DEFECT_PARTIAL_WILDCARD)
            continue;
        assert_string_equal(field(cert->x509, NID_commonName),
                            authority ? "The Certificate Authority"
                                      : "localhost.localdomain");
    }
}

/* Would catch a serial number that is negative, zero, or too long, and
 * another version, digest or key than the row's. */
static void
serials_and_algorithms(void **state)
{
    static const struct {
        int type, bits;
    } kinds[] = {
        [CERT_RSA_2048] = {EVP_PKEY_RSA, 2048},
        [CERT_RSA_1024] = {EVP_PKEY_RSA, 1024},
        [CERT_P256] = {EVP_PKEY_EC, 256},
    };

    (void)state;
    for (size_t i = 0; i < set->count; i++) {
        const struct cert *cert = &set->certs[i];
        const ASN1_INTEGER *serial = X509_get0_serialNumber(cert->x509);
        bool signed_by_rsa =
            EVP_PKEY_get_base_id(cert->issuer->key) == EVP_PKEY_RSA;
        int signature = cert->spec->sha1 ? NID_sha1WithRSAEncryption
                        : signed_by_rsa  ? NID_sha256WithRSAEncryption
                                         : NID_ecdsa_with_SHA256;

        assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER);
        assert_int_equal(i2d_ASN1_INTEGER(serial, NULL), 2 + 20);
        assert_int_equal(X509_get_version(cert->x509), X509_VERSION_3);
        assert_int_equal(X509_get_signature_nid(cert->x509), signature);
        if (cert->spec->key_of == NULL) {
            assert_int_equal(EVP_PKEY_get_base_id(cert->key),
                             kinds[cert->spec->key].type);
            assert_int_equal(EVP_PKEY_get_bits(cert->key),
                             kinds[cert->spec->key].bits);
        }
        assert_int_equal(X509_check_private_key(cert->x509, cert->key), 1);
    }
}

/* The row whose key it is. */
static const char *
owner_of(const struct cert *cert)
{
    return cert->spec->key_of != NULL ? cert->spec->key_of : cert->spec->name;
}

/* Would catch keys that are the same, or a shared key that is not. */
static void
keys_are_shared_as_specified(void **state)
{
    (void)state;
    for (size_t i = 0; i < set->count; i++) {
        for (size_t k = 0; k < i; k++) {
            bool shared =
                strcmp(owner_of(&set->certs[i]), owner_of(&set->certs[k])) == 0;

            assert_int_equal(
                EVP_PKEY_eq(set->certs[i].key, set->certs[k].key) == 1, shared);
        }
    }
}

/* Would catch a subject with a common name longer than RFC 5280 allows, over
 * which OpenSSL fails, and names that do not fit any more. */
static void
long_hostnames(void **state)
{
    const char *longest = X63 "." X63 "." X63 "." X61; /* 253 */
    const struct check check = {"server1", "ca1", 0, longest, NULL, X509_V_OK};

    (void)state;
    assert_string_equal(field(reissue(X64), NID_commonName), X64);
    assert_string_equal(field(reissue(X64 "x"), NID_commonName), "");
    assert_string_equal(field(reissue(longest), NID_commonName), "");
    assert_int_equal(verify(&check), X509_V_OK);
    assert_string_equal(field(reissue("::1"), NID_commonName), "::1");
    assert_int_equal(cert_set_renew(set), 0);
}

/* Would catch a renewal that changes more than serial number and validity. */
static void
renewal_keeps_key_and_issuer(void **state)
{
    X509 *old[ROWS_MAX];

    (void)state;
    assert_true(set->count <= ROWS_MAX);
    for (size_t i = 0; i < set->count; i++) {
        old[i] = set->certs[i].x509;
        X509_up_ref(old[i]);
    }
    assert_int_equal(cert_set_renew(set), 0);
    for (size_t i = 0; i < set->count; i++) {
        const X509 *x509 = set->certs[i].x509;

        if (set->certs[i].spec->use == CERT_AUTHORITY) {
            assert_ptr_equal(x509, old[i]);
        } else {
            assert_true(ASN1_INTEGER_cmp(X509_get0_serialNumber(x509),
                                         X509_get0_serialNumber(old[i]))
                        != 0);
            assert_true(X509_NAME_cmp(X509_get_issuer_name(x509),
                                      X509_get_issuer_name(old[i]))
                        == 0);
            assert_true(
                EVP_PKEY_eq(X509_get0_pubkey(x509), X509_get0_pubkey(old[i]))
                == 1);
        }
        X509_free(old[i]);
    }
    verification(state);
    serials_and_algorithms(state);
}

/* Would catch a renewal that fails half-way and leaves new and old mixed: the
 * last authority cannot sign here. */
static void
failed_renewal_changes_nothing(void **state)
{
    struct cert *authority = &set->certs[2];
    EVP_PKEY *key = authority->key;
    /* Unlike its copy, the certificate refers to the private key too. */
    X509 *copy = X509_dup(authority->x509);
    X509 *old[ROWS_MAX];
    int result;

    (void)state;
    assert_string_equal(authority->spec->name, "ca3");
    for (size_t i = 0; i < set->count; i++)
        old[i] = set->certs[i].x509;
    authority->key = X509_get0_pubkey(copy);
    result = cert_set_renew(set);
    authority->key = key;
    X509_free(copy);
    assert_int_equal(result, -1);
    for (size_t i = 0; i < set->count; i++)
        assert_ptr_equal(set->certs[i].x509, old[i]);
    verification(state);
}

/* Would catch a certhash that is not the one over the DER form. */
static void
hash_is_of_der(void **state)
{
    X509 *x509 = find("server2")->x509;
    unsigned char digest[32];
    unsigned char *der = NULL;
    int length = i2d_X509(x509, &der);
    char want[65];
    char hex[65];

    (void)state;
    EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)length, digest, NULL);
    OPENSSL_free(der);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(want + 2 * i, 3, "%02x", digest[i]);
    cert_hash(x509, hex);
    assert_string_equal(hex, want);
}

/* Would catch a lookup by prefix, and a crash on nothing. */
static void
find_and_free(void **state)
{
    (void)state;
    assert_null(cert_set_find(set, "server"));
    assert_string_equal(find("server1")->spec->name, "server1");
    assert_ptr_equal(find("server1")->issuer, find("ca1"));
    cert_set_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verification),
        cmocka_unit_test(authorities_verify_themselves),
        cmocka_unit_test(critical_extensions),
        cmocka_unit_test(alternative_names),
        cmocka_unit_test(subjects),
        cmocka_unit_test(serials_and_algorithms),
        cmocka_unit_test(keys_are_shared_as_specified),
        cmocka_unit_test(long_hostnames),
        cmocka_unit_test(renewal_keeps_key_and_issuer),
        cmocka_unit_test(failed_renewal_changes_nothing),
        cmocka_unit_test(hash_is_of_der),
        cmocka_unit_test(find_and_free),
    };

    return cmocka_run_group_tests(tests, make_set, free_set);
}
