/*
 * apology.h - tells a client in MAPI that there is no database server
 *
 * Clients show an error only as the answer to their login.  So they get a
 * challenge of ours, one that asks for no password, and then the error.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_APOLOGY_H
#define PROXY_APOLOGY_H

#include "base/salt.h"
#include "proxy/endpoint.h"

/* The last message; clients show what is behind the '!'. */
#define APOLOGY_TEXT "!08006!the database server cannot be reached\n"

struct apology;

/* NULL without memory, or random bytes for the salt. */
struct apology *apology_new(struct salt_pool *salts);

/*
 * Go on with the client, which has not been sent a byte before.  IO_DONE: all
 * is said, and with the kernel; IO_EOF and IO_BROKEN: the client is gone, or
 * does not speak MAPI.
 */
enum io apology_run(struct apology *apology, struct endpoint *client);

/* NULL does nothing. */
void apology_free(struct apology *apology);

#endif
