/*
 * redirect.h - one line of a login reply: does it send the client elsewhere?
 *
 * Pure.  A line may begin with blanks: clients strip them.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_REDIRECT_H
#define PROXY_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"

/* The port of a redirect that names none. */
#define REDIRECT_DEFAULT_PORT 50000

enum redirect_kind {
    REDIRECT_NONE,   /* an error, an information, anything else */
    REDIRECT_TLS,    /* ^monetdbs:// */
    REDIRECT_AGAIN,  /* ^mapi:merovingian://proxy: here, a new challenge */
    REDIRECT_LEAVES, /* ^monetdb://, ^mapi:monetdb://, and what we know not */
};

/* What rewriting has to know. */
struct redirect_place {
    const char *authority; /* HOST:PORT by which the client has reached us */
    const void *backend;   /* for is_backend */
    /* True if that is where this port's bytes go anyway. */
    bool (*is_backend)(const void *backend, const char *host, uint16_t port);
};

/* line has no line feed. */
enum redirect_kind redirect_classify(struct slice line);

/*
 * Write a line that leaves TLS so that it leads to the place: ^monetdbs:// with
 * the same database.  False if its target is not the place's backend.
 */
bool redirect_rewrite(struct slice line, const struct redirect_place *place,
                      struct wire_writer *out);

#endif
