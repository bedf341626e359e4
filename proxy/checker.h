/*
 * checker.h - is a configuration's edition fit to be served?
 *
 * The master never holds an operator's private key, so a process of its own
 * looks: it reads chains and keys, sets up TLS as a worker would, resolves the
 * backends, and ends.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CHECKER_H
#define PROXY_CHECKER_H

#include "proxy/edition.h"
#include "proxy/privileges.h"

#define CHECKER_WHY_MAX 512

/*
 * Check the edition in this process, which then has had keys in its memory.
 * Returns 0 with all backends resolved, or -1 with the culprit logged.
 */
int checker_check(struct edition *edition);

/*
 * The same in a process that is forked for it, with those privileges, and
 * waited for.  The backends' addresses arrive in edition.  What was wrong is
 * put into why, unless that is NULL.
 */
int checker_run(struct edition *edition, const struct privileges *privileges,
                char why[CHECKER_WHY_MAX]);

/* What such a process does: check, and say the result on the channel.  Returns
 * its exit status. */
int checker_report(struct edition *edition, int channel);

#endif
