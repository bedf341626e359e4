/*
 * test_store_files.c - which files there are, and what is in them
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "certs/store.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

static struct cert_set *set;
static struct store *store;

static int
setup(void **state)
{
    static const char *const hostnames[] = {"localhost"};

    (void)state;
    set = cert_set_new(hostnames, 1);
    store = set != NULL ? store_new(set) : NULL;
    return store != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    store_free(store);
    cert_set_free(set);
    return 0;
}

static const struct store_file *
find(const char *name)
{
    const struct store_file *file = store_find(store, name);

    if (file == NULL)
        fail_msg("no file %s", name);
    return file;
}

/* Valid until the next call. */
static const char *
named(const char *row, const char *kind)
{
    static char name[64];

    snprintf(name, sizeof name, "%s%s", row, kind);
    return name;
}

static const struct cert *
cert(const char *name)
{
    return cert_set_find(set, name);
}

/* Would catch a file that clients fetch and do not get, and one too many. */
static void
all_files_are_there(void **state)
{
    static const char *const kinds[] = {".key", ".crt", ".der", ".keycrt"};
    static const size_t counts[] = {3, 4, 0, 0};

    (void)state;
    for (size_t i = 0; i < cert_spec_count; i++) {
        const struct cert_spec *spec = &cert_specs[i];

        for (size_t k = 0; k < counts[spec->files]; k++) {
            const struct store_file *file = find(named(spec->name, kinds[k]));

            assert_int_equal(file->text, k != 2);
            assert_int_equal(file->bytes[file->length], '\0');
            if (file->text)
                assert_int_equal(strlen((char *)file->bytes), file->length);
        }
        if (spec->files == FILES_CHAIN)
            assert_true(find(named(spec->name, ".chain.pem"))->text);
    }
    /* 4 CAs, 4 servers, 4 clients; 24 ports. */
    assert_int_equal(store->count, 12 * 3 + 4 + 24);
    assert_null(store_find(store, "server1"));
    assert_null(store_find(store, "server1.keycrt"));
    assert_null(store_find(store, ""));
}

/* Read a private key in PKCS#1 form off the BIO. */
static void
expect_key(BIO *in, const struct cert *want)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);

    assert_non_null(key);
    assert_int_equal(EVP_PKEY_eq(key, want->key), 1);
    EVP_PKEY_free(key);
}

static void
expect_cert(BIO *in, const struct cert *want)
{
    X509 *x509 = PEM_read_bio_X509(in, NULL, NULL, NULL);

    assert_non_null(x509);
    assert_int_equal(X509_cmp(x509, want->x509), 0);
    X509_free(x509);
}

static void
expect_pem(const char *name, const struct cert *key, const struct cert *leaf,
           const struct cert *authority)
{
    const struct store_file *file = find(name);
    BIO *in = BIO_new_mem_buf(file->bytes, (int)file->length);

    assert_non_null(in);
    if (key != NULL) {
        assert_memory_equal(file->bytes, "-----BEGIN RSA PRIVATE KEY-----\n",
                            32);
        expect_key(in, key);
    }
    if (leaf != NULL)
        expect_cert(in, leaf);
    if (authority != NULL)
        expect_cert(in, authority);
    assert_int_equal(BIO_pending(in), 0);
    BIO_free(in);
}

/* Would catch a chain in the wrong order, PKCS#8 keys, and bytes too many. */
static void
pem_files(void **state)
{
    (void)state;
    expect_pem("ca1.key", cert("ca1"), NULL, NULL);
    expect_pem("ca1.crt", NULL, cert("ca1"), NULL);
    expect_pem("server3.key", cert("server3"), NULL, NULL);
    expect_pem("server3.crt", NULL, cert("server3"), cert("ca3"));
    expect_pem("server1x.key", cert("server1"), NULL, NULL);
    expect_pem("server1x.crt", NULL, cert("server1x"), cert("ca1"));
    expect_pem("client2.keycrt", cert("client2"), cert("client2"), cert("ca2"));
    assert_string_equal(find("server1.key")->bytes,
                        find("server1x.key")->bytes);
}

/* Would catch another order than the one that is sent, a certificate that is
 * not sent, and a private key. */
static void
chain_files(void **state)
{
    static const char *const rows[][4] = {
        {"selfsigned", NULL},
        {"chain_missing", NULL},
        {"impostor", "impostor_ca", NULL},
        {"chain_disorder", "ca1", "ca3", "chain_intermediate_ca"},
        {"chain_pathlen", "chain_pathlen_lower_ca", "chain_pathlen_upper_ca",
         NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct store_file *file = find(named(rows[i][0], ".chain.pem"));
        BIO *in = BIO_new_mem_buf(file->bytes, (int)file->length);
        for (size_t k = 0; k < 4 && rows[i][k] != NULL; k++)
            expect_cert(in, cert(rows[i][k]));
        assert_int_equal(BIO_pending(in), 0);
        BIO_free(in);
    }
}

/* Would catch a .der file that is not just the leaf. */
static void
der_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < set->count; i++) {
        unsigned char *der = NULL;
        int length = i2d_X509(set->certs[i].x509, &der);
        const struct store_file *file =
            store_find(store, named(set->certs[i].spec->name, ".der"));

        assert_int_equal(file != NULL,
                         set->certs[i].spec->files <= FILES_KEYCRT);
        if (file != NULL) {
            assert_int_equal(file->length, length);
            assert_memory_equal(file->bytes, der, length);
        }
        OPENSSL_free(der);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_files_are_there),
        cmocka_unit_test(pem_files),
        cmocka_unit_test(chain_files),
        cmocka_unit_test(der_files),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
