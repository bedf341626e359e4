/*
 * vitals.h - whether a port's backend answers, as all its workers have seen it
 *
 * A backend answers when it has sent its first byte; it fails when a connection
 * to it ends before that.  The last one decides.  In shared memory (board.h);
 * workers that write at the same instant overwrite each other.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_VITALS_H
#define PROXY_VITALS_H

#include "proxy/board.h"

enum { VITALS_CLOSED = 0 }; /* no errno: it closed before it spoke */

enum vitals_state {
    VITALS_UNKNOWN, /* nobody has tried */
    VITALS_REACHABLE,
    VITALS_FAILING,
};

extern const char *const vitals_names[];

/* What it is, for everybody to read: "Connection refused". */
const char *vitals_error_text(int error);

/* The port's backend failed, with an errno or VITALS_CLOSED.  It is logged, but
 * only once in a while, with the place that was tried last. */
void vitals_fail(struct vitals *vitals, const char *port, const char *place,
                 int error);

/* It has answered; logged if it had failed before. */
void vitals_answer(struct vitals *vitals, const char *port);

#endif
