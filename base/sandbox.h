/*
 * sandbox.h - a process gives up what it does not need
 *
 * Whoever takes over a process that talks to strangers, by a fault in it or in
 * OpenSSL, shall find nothing there but its sockets: no files, no other
 * programs, no other processes, no other hosts.  Three walls, each for what the
 * others cannot tell apart:
 *
 * - seccomp (syscalls.h) sees which calls are made and, of their arguments,
 *   numbers;
 * - Landlock (landlock.h) sees which files are opened, and to which TCP ports
 *   connections go;
 * - "no new privileges": what is executed gets no rights by its file.
 *
 *                worker            control   simulator  names
 *   files        none              none      none       reads the system's
 *   TCP to       backends' ports   none      none       port 53
 *   UDP          none              none      none       anywhere
 *   accepts      yes               yes       yes        no
 *   executes, or starts processes: none of them; binds: none
 *
 * "names" is the resolver, and the checker of a configuration.  Files that are
 * open already, such as standard error, stay so.
 *
 * A call that is forbidden fails; it does not kill.  So a harmless one that the
 * table lacks, on another C library or another machine, costs what it was for
 * and not all connections of a worker, and an intruder gains nothing by the
 * difference.  The kernel writes each refusal to its audit log.
 *
 * A kernel or a container that refuses a wall (EPERM, ENOSYS, EOPNOTSUPP) has
 * none to offer: the program says so once and goes on.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include "base/rights.h"

/* What a process is in; a set of bits. */
enum sandbox {
    SANDBOX_NONE = 0,
    SANDBOX_SECCOMP = 1,
    SANDBOX_LANDLOCK = 2,
    SANDBOX_BOTH = 3,
};

/* By enum sandbox. */
extern const char *const sandbox_names[SANDBOX_BOTH + 1];

/*
 * Sandboxes are wanted: in this process, which loses the way to privileges by
 * executing a file, and in those that it forks.  What the kernel lacks is
 * logged.  Without this call sandbox_enter() does nothing.
 */
void sandbox_begin(void);

/*
 * The process as it is from now on is never dumped: no core file, whatever the
 * limits, and no other process of its user can read its memory or its
 * descriptors.  Its files in /proc are root's.  execve() undoes it.
 */
void sandbox_forbid_dumps(void);

/*
 * Enter the sandbox, for good.  Before that everything must be read, opened and
 * listening that is needed later; what a library would read from the system at
 * its first use is read here.  reach: a worker's; NULL: nowhere.  Returns what
 * it is in now, an enum sandbox, or -1 with the reason logged: a process that
 * is neither in nor out must end.
 */
int sandbox_enter(enum sandbox_kind kind, const struct sandbox_reach *reach);

#endif
