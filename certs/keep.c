/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/keep.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "certs/fitness.h"
#include "certs/store.h"

struct name {
    char text[NAME_MAX + 1];
};

static struct name
name_of(const struct cert *cert, const char *suffix)
{
    struct name name;

    snprintf(name.text, sizeof name.text, "%s%s", cert->spec->name, suffix);
    return name;
}

/* Those in the folder. */
static bool
is_leaf(const struct cert *cert)
{
    return !cert->spec->fleeting && cert_is_renewed(cert);
}

static bool
is_authority(const struct cert *cert)
{
    return !cert->spec->fleeting && !cert_is_renewed(cert);
}

/* OpenSSL's own would ask at the terminal. */
static int
no_password(char *out, int room, int writing, void *unused)
{
    (void)out;
    (void)room;
    (void)writing;
    (void)unused;
    return -1;
}

/*
 * True if key signs, so that a flipped bit is found now and not by a client.
 * OpenSSL's complete check would look for primes again, which takes longer than
 * all the rest of a start.
 */
static bool
signs(EVP_PKEY *key)
{
    static const unsigned char text[] = "mapitest";
    unsigned char signature[1024];
    size_t length = sizeof signature;
    EVP_MD_CTX *sign = EVP_MD_CTX_new();
    EVP_MD_CTX *verify = EVP_MD_CTX_new();
    bool good =
        sign != NULL && verify != NULL
        && EVP_DigestSignInit(sign, NULL, EVP_sha256(), NULL, key) == 1
        && EVP_DigestSign(sign, signature, &length, text, sizeof text) == 1
        && EVP_DigestVerifyInit(verify, NULL, EVP_sha256(), NULL, key) == 1
        && EVP_DigestVerify(verify, signature, length, text, sizeof text) == 1;

    EVP_MD_CTX_free(sign);
    EVP_MD_CTX_free(verify);
    return good;
}

/* The key in the file; NULL if there is none that works. */
static EVP_PKEY *
parse_key(const struct folder_file *file)
{
    BIO *in = BIO_new_mem_buf(file->bytes, (int)file->length);
    EVP_PKEY *key = NULL;

    if (in != NULL)
        key = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
    BIO_free(in);
    if (key != NULL && !signs(key)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    ERR_clear_error();
    return key;
}

/* The file's first certificate: a leaf's own, before its chain. */
static X509 *
parse_certificate(const struct folder_file *file)
{
    BIO *in = BIO_new_mem_buf(file->bytes, (int)file->length);
    X509 *x509 = NULL;

    if (in != NULL)
        x509 = PEM_read_bio_X509(in, NULL, no_password, NULL);
    BIO_free(in);
    ERR_clear_error();
    return x509;
}

static int
load_key(const struct folder *folder, struct cert *cert)
{
    struct name name = name_of(cert, ".key");
    struct folder_file file;
    int result = -1;

    if (cert->spec->key_of != NULL || cert->spec->fleeting)
        return 0;
    switch (folder_read(folder, name.text, true, &file)) {
    case FOLDER_FAILED:
        return -1;
    case FOLDER_MISSING:
        return 0;
    case FOLDER_READ:
        break;
    }
    cert->key = parse_key(&file);
    if (cert->key != NULL)
        result = 0;
    else
        log_error("%s/%s is no private key, or a broken one", folder->path,
                  name.text);
    OPENSSL_cleanse(&file, sizeof file);
    return result;
}

/* The certificate in cert's file, which the caller frees; NULL if there is no
 * file or, with FOLDER_READ, a broken one. */
static enum folder_result
load_certificate(const struct folder *folder, const struct cert *cert,
                 X509 **x509)
{
    struct name name = name_of(cert, ".crt");
    struct folder_file file;
    enum folder_result result = folder_read(folder, name.text, false, &file);

    *x509 = result == FOLDER_READ ? parse_certificate(&file) : NULL;
    return result;
}

/* Clients trust it: whatever is strange about it is for a human to decide. */
static int
load_authority(const struct folder *folder, struct cert *cert)
{
    struct name key = name_of(cert, ".key");
    struct name crt = name_of(cert, ".crt");
    enum folder_result result = load_certificate(folder, cert, &cert->x509);
    const char *problem = NULL;

    if (result == FOLDER_MISSING && cert->key != NULL)
        log_warning("%s/%s is missing: to be issued again, with the same key",
                    folder->path, crt.text);
    if (result != FOLDER_READ)
        return result == FOLDER_MISSING ? 0 : -1;
    if (cert->x509 == NULL)
        problem = "is no certificate, or a broken one";
    else if (cert->key == NULL)
        problem = "has lost its key";
    else if (EVP_PKEY_eq(X509_get0_pubkey(cert->x509), cert->key) != 1)
        problem = "is not the certificate of its key";
    ERR_clear_error();
    if (problem == NULL)
        return 0;
    log_error("%s/%s %s, %s", folder->path, crt.text, problem, key.text);
    return -1;
}

/* The good leaf in cert's file, which the caller frees; NULL if there is none;
 * what is wrong with one that is there is logged. */
static X509 *
load_leaf(const struct folder *folder, const struct cert_set *set,
          const struct cert *cert)
{
    struct name name = name_of(cert, ".crt");
    const char *problem = "is no certificate, or a broken one";
    X509 *x509;

    if (load_certificate(folder, cert, &x509) != FOLDER_READ)
        return NULL;
    if (x509 != NULL)
        problem = fitness_flaw(set, cert, x509);
    ERR_clear_error();
    if (problem == NULL)
        return x509;
    log_info("%s/%s %s: to be issued again", folder->path, name.text, problem);
    X509_free(x509);
    return NULL;
}

static void
free_leaves(X509 **leaves, size_t count)
{
    for (size_t i = 0; leaves != NULL && i < count; i++)
        X509_free(leaves[i]);
    free(leaves);
}

/* All leaves, one for each row that is one, for free_leaves(); NULL if one of
 * them is not good. */
static X509 **
load_leaves(const struct folder *folder, const struct cert_set *set)
{
    X509 **leaves = calloc(set->count, sizeof *leaves);

    for (size_t i = 0; leaves != NULL && i < set->count; i++) {
        if (!is_leaf(&set->certs[i]))
            continue;
        leaves[i] = load_leaf(folder, set, &set->certs[i]);
        if (leaves[i] == NULL) {
            free_leaves(leaves, set->count);
            return NULL;
        }
    }
    return leaves;
}

/* What was there goes to where it came from. */
static void
swap_leaves(struct cert_set *set, X509 **leaves)
{
    for (size_t i = 0; i < set->count; i++) {
        X509 *old = set->certs[i].x509;

        if (!is_leaf(&set->certs[i]))
            continue;
        set->certs[i].x509 = leaves[i];
        leaves[i] = old;
    }
}

static int
load(const struct folder *folder, struct cert_set *set)
{
    X509 **leaves;

    for (size_t i = 0; i < set->count; i++) {
        struct cert *cert = &set->certs[i];

        if (load_key(folder, cert) == -1)
            return -1;
        if (is_authority(cert) && load_authority(folder, cert) == -1)
            return -1;
    }
    leaves = load_leaves(folder, set);
    if (leaves != NULL)
        swap_leaves(set, leaves);
    free_leaves(leaves, set->count);
    return 0;
}

/* What is to be written of a row. */
struct fresh {
    bool key, certificate;
};

static int
write_file(const struct folder *folder, const struct store *store,
           struct name name, bool secret)
{
    const struct store_file *file = store_find(store, name.text);

    return folder_write(folder, name.text, secret, file->bytes, file->length);
}

/* A key before its certificate: what an interrupted start leaves behind is then
 * a key that can have another. */
static int
write_fresh(const struct folder *folder, const struct cert_set *set,
            const struct fresh *fresh)
{
    struct store *store = store_new(set);
    int result = -1;

    if (store == NULL)
        return -1;
    for (size_t i = 0; i < set->count; i++) {
        const struct cert *cert = &set->certs[i];

        if (fresh[i].key
            && write_file(folder, store, name_of(cert, ".key"), true) == -1)
            goto done;
        if (fresh[i].certificate
            && write_file(folder, store, name_of(cert, ".crt"), false) == -1)
            goto done;
    }
    result = 0;

done:
    store_free(store);
    return result;
}

/* Make what load() did not find, and write it. */
static int
complete(const struct folder *folder, struct cert_set *set)
{
    struct fresh *fresh = calloc(set->count, sizeof *fresh);
    size_t keys = 0;
    size_t certificates = 0;
    int result = -1;

    if (fresh == NULL) {
        log_errno("cannot make certificates");
        return -1;
    }
    for (size_t i = 0; i < set->count; i++) {
        const struct cert *cert = &set->certs[i];

        if (cert->spec->fleeting)
            continue;
        fresh[i].key = cert->spec->key_of == NULL && cert->key == NULL;
        fresh[i].certificate = cert->x509 == NULL;
        keys += fresh[i].key;
        certificates += fresh[i].certificate;
    }
    result = cert_set_complete(set);
    if (result == 0 && keys + certificates > 0) {
        result = write_fresh(folder, set, fresh);
        if (result == 0)
            log_info("%s: %zu keys and %zu certificates made", folder->path,
                     keys, certificates);
    }
    free(fresh);
    return result;
}

struct cert_set *
keep_open(const struct folder *folder, const char *const *hostnames,
          size_t count)
{
    struct cert_set *set = cert_set_blank(hostnames, count);

    if (set == NULL)
        return NULL;
    if (load(folder, set) == 0 && complete(folder, set) == 0)
        return set;
    cert_set_free(set);
    return NULL;
}

/* True if the folder's authorities are those of the set. */
static bool
has_authorities(const struct folder *folder, const struct cert_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct cert *cert = &set->certs[i];
        X509 *x509 = NULL;
        bool same;

        if (!is_authority(cert))
            continue;
        same = load_certificate(folder, cert, &x509) == FOLDER_READ
               && x509 != NULL
               && EVP_PKEY_eq(X509_get0_pubkey(x509), cert->key) == 1;
        X509_free(x509);
        if (same)
            continue;
        log_error("%s/%s is not the authority that we have", folder->path,
                  name_of(cert, ".crt").text);
        return false;
    }
    return true;
}

/* True if all leaves are others than the set's, and none is older. */
static bool
are_newer(X509 *const *leaves, const struct cert_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const X509 *old = set->certs[i].x509;

        if (!is_leaf(&set->certs[i]))
            continue;
        if (X509_cmp(leaves[i], old) == 0
            || ASN1_TIME_compare(X509_get0_notBefore(leaves[i]),
                                 X509_get0_notBefore(old))
                   < 0)
            return false;
    }
    return true;
}

/* Issue leaves for all, us and those who share the folder. */
static int
issue_leaves(const struct folder *folder, struct cert_set *set)
{
    struct fresh *fresh = calloc(set->count, sizeof *fresh);
    int result = cert_set_renew(set);

    for (size_t i = 0; fresh != NULL && i < set->count; i++)
        fresh[i].certificate = is_leaf(&set->certs[i]);
    if (result == 0 && (fresh == NULL || write_fresh(folder, set, fresh) == -1))
        log_error("%s: the renewed certificates are not kept", folder->path);
    free(fresh);
    return result;
}

int
keep_renew(const struct folder *folder, struct cert_set *set)
{
    X509 **leaves;
    int result = 0;

    if (!has_authorities(folder, set))
        return -1;
    leaves = load_leaves(folder, set);
    if (leaves == NULL || !are_newer(leaves, set))
        result = issue_leaves(folder, set);
    else if (cert_set_renew_fleeting(set) == -1)
        result = -1;
    else
        swap_leaves(set, leaves);
    free_leaves(leaves, set->count);
    return result;
}
