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

#include "proxy/site.h"

/*
 * Fork a process of the slot's kind and index.  channel is its end of the pair
 * whose other end the master keeps; it stays the caller's to close.  Returns
 * the process id, or -1 with errno set.
 */
pid_t
child_start(const struct site *site, struct process_slot *slot, int channel);

#endif
