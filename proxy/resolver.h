/*
 * resolver.h - the process that resolves backends' names again and again
 *
 * Apart from all others, as getaddrinfo() blocks, opens files and loads
 * modules.  What it finds it tells the master, who tells the workers.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_RESOLVER_H
#define PROXY_RESOLVER_H

#include "proxy/edition.h"

/* True if an edition has names to resolve. */
bool resolver_is_needed(const struct edition *edition);

/*
 * Resolve the edition's backends every so many seconds, until the channel's
 * other side is gone; only what has changed is told.  Returns the exit status.
 */
int resolver_run(struct edition *edition, double seconds, int channel);

#endif
