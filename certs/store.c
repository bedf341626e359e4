/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/store.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/wire.h"
#include "certs/atomic.h"

#define BLOB_MAGIC       0x4d435331 /* "MCS1" */
#define BLOB_HEADER_SIZE 8          /* magic, number of files */
#define FILE_HEADER_SIZE 7 /* text, length of the name, length of the bytes */

/* Renderers return 1, or 0 with the reason in OpenSSL's queue. */

/* PKCS#1 rather than PKCS#8: what the clients' tests expect. */
static int
render_key(BIO *out, const struct cert *cert)
{
    return PEM_write_bio_PrivateKey_traditional(out, cert->key, NULL, NULL, 0,
                                                NULL, NULL);
}

static int
render_chain(BIO *out, const struct cert *cert)
{
    if (!PEM_write_bio_X509(out, cert->x509))
        return 0;
    if (cert->issuer == cert)
        return 1;
    return render_chain(out, cert->issuer);
}

static int
render_der(BIO *out, const struct cert *cert)
{
    return i2d_X509_bio(out, cert->x509);
}

static int
render_sent(BIO *out, const struct cert *cert)
{
    if (!PEM_write_bio_X509(out, cert->x509))
        return 0;
    for (size_t i = 0; i < CERT_SENDS_MAX && cert->sends[i] != NULL; i++)
        if (!PEM_write_bio_X509(out, cert->sends[i]->x509))
            return 0;
    return 1;
}

static int
render_key_and_chain(BIO *out, const struct cert *cert)
{
    return render_key(out, cert) && render_chain(out, cert);
}

#define USUAL (1u << FILES_USUAL | 1u << FILES_KEYCRT)

static const struct kind {
    const char *suffix;
    int (*render)(BIO *out, const struct cert *cert);
    mode_t mode;
    bool text;
    unsigned of; /* rows of these, bit 1 << enum cert_files */
} kinds[] = {
    {".key", render_key, 0600, true, USUAL},
    {".crt", render_chain, 0644, true, USUAL},
    {".der", render_der, 0644, false, USUAL},
    {".keycrt", render_key_and_chain, 0600, true, 1u << FILES_KEYCRT},
    {".chain.pem", render_sent, 0644, true, 1u << FILES_CHAIN},
};

#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

/* What is not known to be public is private. */
static mode_t
mode_of(const char *name)
{
    const char *suffix = strchr(name, '.');

    for (size_t i = 0; suffix != NULL && i < KIND_COUNT; i++) {
        if (strcmp(suffix, kinds[i].suffix) == 0)
            return kinds[i].mode;
    }
    return 0600;
}

/* A copy that is also a string; NULL if there is no memory. */
static void *
copy(const void *bytes, size_t length)
{
    char *copied = malloc(length + 1);

    if (copied == NULL)
        return NULL;
    memcpy(copied, bytes, length);
    copied[length] = '\0';
    return copied;
}

static int
fill(struct store_file *file, struct slice name, struct slice bytes, bool text)
{
    file->name = copy(name.bytes, name.length);
    file->bytes = copy(bytes.bytes, bytes.length);
    file->length = bytes.length;
    file->text = text;
    return file->name != NULL && file->bytes != NULL ? 0 : -1;
}

static int
render(struct store *store, const struct cert *cert, const struct kind *kind)
{
    BIO *out = BIO_new(BIO_s_mem());
    char name[NAME_MAX + 1];
    char *bytes = NULL;
    long length;
    int result = -1;

    ERR_clear_error();
    if (out == NULL || !kind->render(out, cert)) {
        log_tls("%s%s: cannot encode", cert->spec->name, kind->suffix);
        goto done;
    }
    length = BIO_get_mem_data(out, &bytes);
    snprintf(name, sizeof name, "%s%s", cert->spec->name, kind->suffix);
    result = fill(&store->files[store->count++], slice_text(name),
                  (struct slice){(uint8_t *)bytes, (size_t)length}, kind->text);
    if (result == -1)
        log_errno("cannot keep %s", name);

done:
    BIO_free(out);
    return result;
}

static int
render_all(struct store *store, const struct cert_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct cert *cert = &set->certs[i];

        for (size_t k = 0; k < KIND_COUNT; k++) {
            if ((kinds[k].of & 1u << cert->spec->files) == 0)
                continue;
            if (render(store, cert, &kinds[k]) == -1)
                return -1;
        }
    }
    return 0;
}

/* An empty store with room for max files. */
static struct store *
empty(size_t max)
{
    struct store *store = calloc(1, sizeof *store);

    if (store == NULL)
        return NULL;
    store->files = calloc(max + 1, sizeof *store->files);
    if (store->files == NULL) {
        free(store);
        return NULL;
    }
    return store;
}

struct store *
store_new(const struct cert_set *set)
{
    struct store *store = empty(set == NULL ? 0 : set->count * KIND_COUNT);

    if (store == NULL) {
        log_errno("cannot render the certificates");
        return NULL;
    }
    if (set != NULL && render_all(store, set) == -1) {
        store_free(store);
        return NULL;
    }
    return store;
}

const struct store_file *
store_find(const struct store *store, const char *name)
{
    for (size_t i = 0; i < store->count; i++) {
        if (strcmp(store->files[i].name, name) == 0)
            return &store->files[i];
    }
    return NULL;
}

int
store_write(const struct store *store, const char *dir)
{
    int directory = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = -1;

    if (directory == -1) {
        log_errno("cannot write to directory %s", dir);
        return -1;
    }
    for (size_t i = 0; i < store->count; i++) {
        const struct store_file *file = &store->files[i];

        if (atomic_write(directory, file->name, file->bytes, file->length,
                         mode_of(file->name))
            == -1) {
            log_errno("cannot write %s/%s", dir, file->name);
            goto done;
        }
    }
    result = 0;

done:
    close(directory);
    return result;
}

uint8_t *
store_pack(const struct store *store, size_t *length)
{
    size_t size = BLOB_HEADER_SIZE;
    struct wire_writer w;
    uint8_t *blob;

    for (size_t i = 0; i < store->count; i++)
        size += FILE_HEADER_SIZE + strlen(store->files[i].name)
                + store->files[i].length;
    blob = malloc(size);
    if (blob == NULL)
        return NULL;
    w = wire_writer(blob, size);
    wire_put_be(&w, BLOB_MAGIC, 4);
    wire_put_be(&w, store->count, 4);
    for (size_t i = 0; i < store->count; i++) {
        const struct store_file *file = &store->files[i];
        size_t name_length = strlen(file->name);

        wire_put_be(&w, file->text, 1);
        wire_put_be(&w, name_length, 2);
        wire_put(&w, file->name, name_length);
        wire_put_be(&w, file->length, 4);
        wire_put(&w, file->bytes, file->length);
    }
    *length = size;
    return blob;
}

/* Names become paths: nothing may lead out of the directory. */
static bool
is_file_name(struct slice name)
{
    if (name.length == 0 || name.length > NAME_MAX)
        return false;
    if (memchr(name.bytes, '/', name.length) != NULL
        || memchr(name.bytes, '\0', name.length) != NULL)
        return false;
    return name.bytes[0] != '.';
}

static int
unpack_file(struct store *store, struct wire_reader *r)
{
    uint64_t text = wire_be(r, 1);
    struct slice name = wire_take(r, wire_be(r, 2));
    struct slice bytes = wire_take(r, wire_be(r, 4));

    if (r->failed || text > 1 || !is_file_name(name))
        return -1;
    return fill(&store->files[store->count++], name, bytes, text == 1);
}

static int
unpack_all(struct store *store, struct wire_reader *r, uint64_t count)
{
    while (store->count < count) {
        if (unpack_file(store, r) == -1)
            return -1;
    }
    return r->left == 0 ? 0 : -1;
}

struct store *
store_unpack(const uint8_t *blob, size_t length)
{
    struct wire_reader r = wire_reader(blob, length);
    uint64_t magic = wire_be(&r, 4);
    uint64_t count = wire_be(&r, 4);
    struct store *store;

    /* A false count must not make us allocate more than the blob could fill. */
    if (r.failed || magic != BLOB_MAGIC || count > r.left / FILE_HEADER_SIZE)
        return NULL;
    store = empty(count);
    if (store != NULL && unpack_all(store, &r, count) == -1) {
        store_free(store);
        return NULL;
    }
    return store;
}

void
store_free(struct store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->count; i++) {
        free(store->files[i].name);
        free(store->files[i].bytes);
    }
    free(store->files);
    free(store);
}
