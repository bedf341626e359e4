/*
 * rights.h - kinds of processes, and where their rights are told apart
 *
 * A row of the tables in syscalls.c and landlock.c is for a set of kinds.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_RIGHTS_H
#define BASE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sandbox_kind {
    SANDBOX_WORKER,
    SANDBOX_CONTROL,
    SANDBOX_SIMULATOR,
    SANDBOX_NAMES,
    SANDBOX_KINDS,
};

/* Where a worker may connect to. */
struct sandbox_reach {
    const uint16_t *ports; /* of TCP, at any address */
    size_t port_count;
    bool unix_sockets; /* and to Unix sockets, whose paths nobody can tell */
};

/* For whom a row is; a set of bits. */
enum {
    FOR_WORKER = 1u << SANDBOX_WORKER,
    FOR_CONTROL = 1u << SANDBOX_CONTROL,
    FOR_SIMULATOR = 1u << SANDBOX_SIMULATOR,
    FOR_NAMES = 1u << SANDBOX_NAMES,
    FOR_UNIX = 1u << SANDBOX_KINDS, /* whose reach includes Unix sockets */
    FOR_SANITIZERS = FOR_UNIX << 1,
    FOR_ALL = FOR_UNIX - 1,
};

/*
 * A process with a sanitizer in it reads files, looks at its own threads and
 * starts one that does, for its reports and to find leaks: a build for tests
 * may do so, and this part of the sandbox is tested in the other builds.
 */
#ifdef MAPITEST_SANITIZED
#define RIGHTS_SANITIZED 1u
#else
#define RIGHTS_SANITIZED 0u
#endif

/* Which rows are a process's. */
static inline unsigned
rights_of(enum sandbox_kind kind, const struct sandbox_reach *reach)
{
    return 1u << kind | (reach->unix_sockets ? FOR_UNIX : 0u)
           | RIGHTS_SANITIZED * FOR_SANITIZERS;
}

#endif
