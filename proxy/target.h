/*
 * target.h - where bytes go, or are listened for: HOST:PORT, or a path
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_TARGET_H
#define PROXY_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"

struct target {
    bool set;
    char host[NET_HOST_MAX]; /* by name or number; a path: a Unix socket */
    uint16_t port;           /* of a path: 0 */
};

/* Room for a target's text and its NUL. */
#define TARGET_TEXT_MAX (NET_HOST_MAX + 16)

static inline bool
target_is_path(const struct target *target)
{
    return *target->host == '/';
}

/*
 * Make target of "HOST:PORT".  Returns NULL, or what is wrong with text, fit
 * to come behind it.
 */
const char *target_parse(struct target *target, const char *text);

/* The same for a backend: also the absolute path of a Unix socket; no port 0.
 */
const char *target_parse_backend(struct target *target, const char *text);

/* "db:50000", "[::1]:50000" or the path.  Returns out. */
char *target_text(const struct target *target, char out[TARGET_TEXT_MAX]);

#endif
