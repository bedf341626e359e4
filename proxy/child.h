/*
 * child.h - start the processes that the master supervises
 *
 * A child keeps only the descriptors of its own task, ignores the signals that
 * are the master's to handle, and is killed by the kernel when the master dies.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CHILD_H
#define PROXY_CHILD_H

#include <sys/types.h>

#include "proxy/chart.h"
#include "proxy/site.h"

/* What a child is to do. */
struct child_task {
    struct site *site;
    struct edition *edition;   /* of a worker, a resolver or a checker */
    const struct chart *chart; /* control's */
    struct process_slot *slot; /* of its kind, crew and index */
    int channel;               /* its end of the pair */
};

/*
 * Fork a process of the slot's kind.  The channel stays the caller's to close.
 * Returns the process id, or -1 with errno set.
 */
pid_t child_start(const struct child_task *task);

#endif
