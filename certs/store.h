/*
 * store.h - the files that clients fetch, in memory
 *
 * Rendered from a set of certificates: NAME.key, NAME.crt, NAME.der and
 * NAME.keycrt (contract.md, section 5), NAME.chain.pem (ports.md).  A store
 * owns its bytes and shares nothing with the set; it travels between processes
 * as one blob.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_STORE_H
#define CERTS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certs/factory.h"

struct store_file {
    char *name;     /* "server1.crt" */
    uint8_t *bytes; /* `length` of them and a NUL that is not counted */
    size_t length;
    bool text; /* PEM; otherwise DER */
};

struct store {
    size_t count;
    struct store_file *files;
};

/* Render all files, none if set is NULL; the caller frees the store.  NULL: the
 * reason is logged. */
struct store *store_new(const struct cert_set *set);

/* The file of exactly that name, owned by the store; NULL if there is none. */
const struct store_file *
store_find(const struct store *store, const char *name);

/*
 * Write every file into directory dir, which must exist, each by rename, so
 * that a reader never sees half a file.  Files with a private key get mode
 * 0600, others 0644, whatever the umask. Returns 0, or -1 with the reason
 * logged; files already written stay.
 */
int store_write(const struct store *store, const char *dir);

/* The store as bytes: a blob of *length that the caller frees, or NULL. */
uint8_t *store_pack(const struct store *store, size_t *length);

/*
 * The store of a blob; NULL if it is none.  The blob is not trusted: any bytes
 * may be given, and every name is one that is safe in a directory.
 */
struct store *store_unpack(const uint8_t *blob, size_t length);

/* NULL does nothing. */
void store_free(struct store *store);

#endif
