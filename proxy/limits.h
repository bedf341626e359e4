/*
 * limits.h - how much is let in
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_LIMITS_H
#define PROXY_LIMITS_H

/* Each 0 if there is none.  Connections past the first two are accepted and
 * closed at once; past the third they wait in the kernel's queue. */
struct limits {
    unsigned connections; /* open at once, over all workers */
    unsigned per_client;  /* of one client address, over all workers */
    unsigned handshakes;  /* unfinished TLS handshakes in one worker */
};

#endif
