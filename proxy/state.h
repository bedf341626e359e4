/*
 * state.h - what --state DIR keeps: certificates and the secret of tickets
 *
 * Instances that share the directory present the same certificates and accept
 * each other's session tickets.  It is locked while it is read or written, and
 * not in between.  Every function does without it, in memory, if directory is
 * NULL.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_STATE_H
#define PROXY_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "certs/factory.h"
#include "proxy/tickets.h"

#define STATE_SECRET "tickets.secret" /* the secret as a line of hex digits */

/* What is kept. */
struct state {
    struct cert_set *certs; /* the caller frees it; NULL: not asked for */
    uint8_t ticket_secret[TICKETS_SECRET_BYTES];
};

/*
 * Load what there is and make the rest, the directory included: see keep.h for
 * what is made and what is an error.  Without hostnames (NULL) that is the
 * secret alone, and certificates are left alone.  Returns 0, or -1 with the
 * culprit named in the log and nothing to free.
 */
int state_open(struct state *state, const char *directory,
               const char *const *hostnames, size_t count);

/*
 * Issue the leaves again, or take those that another instance has issued since.
 * A directory that cannot be used does not stand in the way: it is logged, and
 * the leaves are issued in memory.  Returns 0, or -1 with certs as it was.
 */
int state_renew(const char *directory, struct cert_set *certs);

/*
 * Seconds from now until state_renew() is due, at least one, if leaves are to
 * be renewed so many seconds after their issue: those that were loaded have
 * already lived for a while.
 */
double state_renew_in(const char *directory, const struct cert_set *certs,
                      double renew_after);

#endif
