/*
 * atomic.h - make or replace a file in one step
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_ATOMIC_H
#define CERTS_ATOMIC_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Make the file `name` in the open directory, with these bytes and exactly this
 * mode, by renaming a temporary file: who reads it sees the old file or the new
 * one.  Not for durability: nothing is synced.  Returns 0, or -1 with errno set
 * and the directory as it was.
 */
int atomic_write(int directory, const char *name, const void *bytes,
                 size_t length, mode_t mode);

/*
 * The same for a file that is to last: it is on the disk on return.  directory
 * is open for reading, not O_PATH.  On failure the directory may, if the very
 * last step failed, have the new file already.
 */
int atomic_keep(int directory, const char *name, const void *bytes,
                size_t length, mode_t mode);

#endif
