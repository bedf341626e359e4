/*
 * test_defects.c - that each defect is there, and is the only one
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "certs/defects.h"

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
#include <time.h>

#include "certs/factory.h"

#define HOUR 3600L
#define DAY  (24 * HOUR)

#define ERRORS_MAX 16
#define LISTS      6

#define X61 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const char *const lists[LISTS][4] = {
    {"localhost.localdomain"},
    {"127.0.0.1"},
    {"localhost", "::1", "mapitest.example", "10.1.2.3"},
    {"::1", "mapitest.example.org"},
    {"a.b.c.example", "Upper.Example"},
    {X61 "." X61 "." X61 ".example", "127.0.0.1"},
};

/* One set for all tests, since keys are slow. */
static struct cert_set *set;

static int
make_set(void **state)
{
    (void)state;
    set = cert_set_new(lists[0], 1);
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

/* All certificates for other host names, with the same keys. */
static void
reissue(const char *const *hostnames, size_t count)
{
    char **own = set->hostnames;
    size_t own_count = set->hostname_count;
    int result;

    set->hostnames = (char **)hostnames;
    set->hostname_count = count;
    result = cert_set_renew(set);
    set->hostnames = own;
    set->hostname_count = own_count;
    assert_int_equal(result, 0);
}

/* The different errors of one verification. */
struct errors {
    int list[ERRORS_MAX];
    size_t count;
};

static bool
has(const struct errors *errors, int error)
{
    for (size_t i = 0; i < errors->count; i++)
        if (errors->list[i] == error)
            return true;
    return false;
}

/* What is no CA is not fit for its purpose either, nor for signing. */
static bool
says_no_ca(int error)
{
    return error == X509_V_ERR_INVALID_PURPOSE
           || error == X509_V_ERR_KEYUSAGE_NO_CERTSIGN;
}

/* Go on after an error, so that the next one shows, unless it says the
 * same again: that the chain does not end at an authority, or leads over what
 * is none. */
static int
note(int good, X509_STORE_CTX *context)
{
    struct errors *errors = X509_STORE_CTX_get_app_data(context);
    int error = X509_STORE_CTX_get_error(context);

    if (good)
        return 1;
    if (error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
        || (has(errors, X509_V_ERR_INVALID_CA) && says_no_ca(error)))
        return 1;
    if (has(errors, error))
        return 1;
    assert_true(errors->count < ERRORS_MAX);
    errors->list[errors->count++] = error;
    return 1;
}

/* What a strict client finds wrong with what the port sends, for that host. */
static struct errors
verify(const char *port, const char *authority, const char *host)
{
    const struct cert *leaf = find(port);
    X509_STORE *trusted = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *sent = sk_X509_new_null();
    struct errors errors = {.count = 0};
    X509_VERIFY_PARAM *param;

    for (size_t i = 0; i < CERT_SENDS_MAX && leaf->sends[i] != NULL; i++)
        assert_true(sk_X509_push(sent, leaf->sends[i]->x509) > 0);
    assert_int_equal(X509_STORE_add_cert(trusted, find(authority)->x509), 1);
    assert_int_equal(X509_STORE_CTX_init(context, trusted, leaf->x509, sent),
                     1);
    param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_auth_level(param, 2);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) != 1)
        X509_VERIFY_PARAM_set1_host(param, host, 0);
    X509_STORE_CTX_set_app_data(context, &errors);
    X509_STORE_CTX_set_verify_cb(context, note);
    X509_verify_cert(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(trusted);
    sk_X509_free(sent);
    ERR_clear_error();
    return errors;
}

static const struct row {
    const char *port;
    int error;  /* X509_V_OK: none */
    int for_ip; /* where a numeric host makes another one of it */
} rows[] = {
    {"ecdsa", X509_V_OK, 0},
    {"chain_intermediate", X509_V_OK, 0},
    {"chain_missing", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0},
    {"chain_disorder", X509_V_OK, 0},
    {"chain_expired", X509_V_ERR_CERT_HAS_EXPIRED, 0},
    {"chain_not_ca", X509_V_ERR_INVALID_CA, 0},
    {"chain_no_certsign", X509_V_ERR_INVALID_CA, 0},
    {"chain_pathlen", X509_V_ERR_PATH_LENGTH_EXCEEDED, 0},
    {"chain_excluded", X509_V_ERR_EXCLUDED_VIOLATION, 0},
    {"chain_permitted", X509_V_OK, 0},
    {"chain_critical", X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, 0},
    {"impostor", X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, 0},
    {"selfsigned", X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, 0},
    {"notyetvalid", X509_V_ERR_CERT_NOT_YET_VALID, 0},
    {"wronghost", X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH},
    {"cn_only", X509_V_OK, X509_V_ERR_IP_ADDRESS_MISMATCH},
    {"cn_trap", X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH},
    {"san_case", X509_V_OK, 0},
    {"client_eku", X509_V_ERR_INVALID_PURPOSE, 0},
    {"leaf_ca", X509_V_OK, 0},
    {"rsa1024", X509_V_ERR_EE_KEY_TOO_SMALL, 0},
    {"sha1", X509_V_ERR_CA_MD_TOO_WEAK, 0},
    {"large", X509_V_OK, 0},
};

static void
check_row(const struct row *row, const char *host)
{
    const char *authority =
        strcmp(row->port, "ecdsa") == 0 ? "ca_ecdsa" : "ca1";
    struct errors errors = verify(row->port, authority, host);
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);
    int want = ip != NULL && row->for_ip != 0 ? row->for_ip : row->error;

    ASN1_OCTET_STRING_free(ip);
    ERR_clear_error();
    if (want == X509_V_OK && errors.count == 0)
        return;
    if (errors.count == 1 && errors.list[0] == want)
        return;
    for (size_t i = 0; i < errors.count; i++)
        print_message("%s\n", X509_verify_cert_error_string(errors.list[i]));
    fail_msg("%s for %s: %zu errors", row->port, host, errors.count);
}

static size_t
length_of(const char *const *list)
{
    size_t count = 0;

    while (count < 4 && list[count] != NULL)
        count++;
    return count;
}

/* Would catch a defect that is not there, a second one beside it, one on a port
 * that has none, and all of that with host names that are numeric, long, or
 * many. */
static void
each_has_one_defect_at_most(void **state)
{
    (void)state;
    for (size_t l = 0; l < LISTS; l++) {
        size_t count = length_of(lists[l]);

        reissue(lists[l], count);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            for (size_t h = 0; h < count; h++) {
                /* The one common name is the first, if that is short enough. */
                if (strcmp(rows[i].port, "cn_only") == 0
                    && (h > 0 || strlen(lists[l][h]) > 64))
                    continue;
                check_row(&rows[i], lists[l][h]);
            }
    }
    reissue(lists[0], 1);
}

/* The only name of partial_wildcard; it stays valid until the next call. */
static const char *
wildcard_for(const char *const *hostnames, size_t count)
{
    static char text[256];
    GENERAL_NAMES *names;
    const ASN1_STRING *name;
    int type;

    reissue(hostnames, count);
    names = X509_get_ext_d2i(find("partial_wildcard")->x509,
                             NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(names), 1);
    name = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, 0), &type);
    assert_int_equal(type, GEN_DNS);
    snprintf(text, sizeof text, "%.*s", ASN1_STRING_length(name),
             (const char *)ASN1_STRING_get0_data(name));
    GENERAL_NAMES_free(names);
    return text;
}

/* Would catch a wildcard that covers the whole label, or none, and a crash on a
 * host without a label. */
static void
wildcards_are_partial(void **state)
{
    static const struct {
        const char *hostnames[2];
        const char *want;
    } cases[] = {
        {{"localhost.localdomain"}, "local*.localdomain"},
        {{"mapitest.example.org"}, "mapi*.example.org"},
        {{"localhost"}, "local*"},
        {{"a.b"}, "a*.b"},
        {{"127.0.0.1", "db.example.org"}, "d*.example.org"},
        {{"127.0.0.1", "::1"}, "part*.host.invalid"},
        {{"*.example.org", ".b"}, "part*.host.invalid"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t count = cases[i].hostnames[1] == NULL ? 1 : 2;

        assert_string_equal(wildcard_for(cases[i].hostnames, count),
                            cases[i].want);
    }
    /* Some clients take it, where there are dots enough. */
    (void)wildcard_for(cases[1].hostnames, 1);
    assert_int_equal(
        verify("partial_wildcard", "ca1", "mapitest.example.org").count, 0);
    assert_int_equal(
        verify("partial_wildcard", "ca1", "other.example.org").list[0],
        X509_V_ERR_HOSTNAME_MISMATCH);
    reissue(lists[0], 1);
}

/* Would catch a Certificate message that fits into one record, or is longer
 * than JSSE reads, with however many host names of whatever length. */
static void
large_is_large_enough(void **state)
{
    static char texts[64][254];
    const char *many[64];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        memset(texts[i], 'x', 253);
        snprintf(texts[i], 10, "%02zu.x", i);
        texts[i][4] = 'x';
        for (size_t k = 50; k < 250; k += 50)
            texts[i][k] = '.';
        many[i] = texts[i];
    }
    for (size_t count = 1; count <= 64; count += 9) {
        int length;

        reissue(many, count);
        length = i2d_X509(find("large")->x509, NULL);
        assert_in_range(length, 17 * 1024, 28 * 1024 - 100);
        assert_int_equal(verify("large", "ca1", many[count - 1]).count, 0);
    }
    reissue(lists[0], 1);
}

/* Would catch an impostor that anybody can tell by its name, or that has the
 * key, and one whose signature a client would find by the key's identifier. */
static void
impostors_have_the_name_only(void **state)
{
    static const char *const pairs[][2] = {{"impostor", "ca1"},
                                           {"client2_impostor", "ca2"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct cert *leaf = find(pairs[i][0]);
        const struct cert *real = find(pairs[i][1]);

        assert_int_equal(X509_NAME_cmp(X509_get_issuer_name(leaf->x509),
                                       X509_get_subject_name(real->x509)),
                         0);
        assert_int_not_equal(X509_verify(leaf->x509, real->key), 1);
        assert_int_not_equal(
            ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf->x509),
                                  X509_get0_subject_key_id(real->x509)),
            0);
        assert_int_equal(EVP_PKEY_get_base_id(leaf->issuer->key),
                         EVP_PKEY_get_base_id(real->key));
    }
    ERR_clear_error();
}

static void
assert_time(const ASN1_TIME *time, time_t now, long seconds)
{
    ASN1_TIME *base = ASN1_TIME_set(NULL, now);
    int days;
    int rest;

    assert_int_equal(ASN1_TIME_diff(&days, &rest, base, time), 1);
    ASN1_TIME_free(base);
    /* The group's setup may be a while ago. */
    assert_in_range(seconds - (days * DAY + rest) + 1, 0, 61);
}

/* Would catch validities that differ from the promised ones. */
static void
validity(void **state)
{
    static const struct {
        const char *name;
        long starts;
        long ends;
    } dates[] = {
        {"ca2", -HOUR, 3650 * DAY},
        {"server3", -HOUR, 14 * DAY},
        {"server1x", -15 * DAY, -1 * DAY},
        {"client2x", -15 * DAY, -1 * DAY},
        {"chain_expired", -HOUR, 14 * DAY},
        {"chain_expired_ca", -15 * DAY, -1 * DAY},
        {"chain_intermediate_ca", -HOUR, 15 * DAY},
        {"notyetvalid", 15 * DAY, 29 * DAY},
    };
    time_t now = time(NULL);

    (void)state;
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        const X509 *x509 = find(dates[i].name)->x509;

        assert_time(X509_get0_notBefore(x509), now, dates[i].starts);
        assert_time(X509_get0_notAfter(x509), now, dates[i].ends);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_one_defect_at_most),
        cmocka_unit_test(wildcards_are_partial),
        cmocka_unit_test(large_is_large_enough),
        cmocka_unit_test(validity),
        cmocka_unit_test(impostors_have_the_name_only),
    };

    return cmocka_run_group_tests(tests, make_set, free_set);
}
