/*
 * landlock.h - which files a process may open, and where it may connect to
 *
 * Linux's Landlock, as far as the running kernel has it: files since 5.13, TCP
 * ports since 6.7, abstract Unix sockets and signals of others since 6.12.  For
 * sandbox.c.
 *
 * What it does not see: calls that only look at a file, such as stat(2), Unix
 * sockets in the file system, UDP.  Those are for the filter of system calls.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_LANDLOCK_H
#define BASE_LANDLOCK_H

#include "base/rights.h"

/* 0 if the kernel has it, or an errno that says why not. */
int landlock_lack(void);

/* Allow this process what its kind needs, and nothing else, for good; it must
 * have given up new privileges.  Returns 0, or -1 with errno set. */
int landlock_enter(enum sandbox_kind kind, const struct sandbox_reach *reach);

#endif
