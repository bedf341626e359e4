/*
 * confine.h - a child of the master enters its sandbox
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CONFINE_H
#define PROXY_CONFINE_H

#include "base/sandbox.h"
#include "proxy/board.h"
#include "proxy/edition.h"

/*
 * As sandbox_enter(); a worker may still connect to where the backends of its
 * edition listen: addresses may change, ports do not.  edition may be NULL for
 * others.  The slot, which is the process's own, tells what it is in.  Returns
 * 0, or -1 with the reason logged: then the process must end.
 */
int confine(enum sandbox_kind kind, const struct edition *edition,
            struct process_slot *slot);

#endif
