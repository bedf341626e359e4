/*
 * syscalls.h - which system calls a kind of process may make
 *
 * A seccomp filter, made from a table with a row for each call.  What the table
 * has, but not for this kind, fails by EPERM; what it does not have at all, or
 * not with these arguments, fails by ENOSYS: so it is on an older kernel, and
 * the C library has another way.  For sandbox.c.
 *
 * Calls that a connection makes again and again are allowed whatever their
 * arguments, as far as they can do nothing but read and write what is open: of
 * these the kernel (5.11) keeps a map of bits and does not run the filter.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_SYSCALLS_H
#define BASE_SYSCALLS_H

#include "base/rights.h"

/* 0 if the kernel has such filters, or an errno that says why not. */
int syscalls_lack(void);

/* Forbid all other calls, for good; the process must have given up new
 * privileges.  Returns 0, or -1 with errno set. */
int syscalls_limit(enum sandbox_kind kind, const struct sandbox_reach *reach);

#endif
