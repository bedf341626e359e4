/*
 * folder.h - a private directory whose files last
 *
 * Open, it is locked: of several processes that share it, one at a time reads
 * and writes, so that all agree on its content.  Every error is logged with the
 * path of what is wrong.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_FOLDER_H
#define CERTS_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLDER_FILE_MAX (32 * 1024) /* bytes of a file, at most */

struct folder {
    const char *path; /* the caller's */
    int fd;
    int lock;
};

enum folder_result { FOLDER_FAILED = -1, FOLDER_MISSING, FOLDER_READ };

struct folder_file {
    size_t length;
    uint8_t bytes[FOLDER_FILE_MAX];
};

/*
 * Open and lock the directory, which must be ours and writable for nobody else;
 * make: if there is none, make it with mode 0700.  Waits for the lock for at
 * most so long.  Returns 0, or -1, logged, with nothing to close.
 */
int folder_open(struct folder *folder, const char *path, bool make,
                double wait_seconds);

/* Closes and unlocks. */
void folder_close(struct folder *folder);

/*
 * Read a file whole.  secret: others can read it is an error.  That there is
 * none is no error, and is not logged.
 */
enum folder_result folder_read(const struct folder *folder, const char *name,
                               bool secret, struct folder_file *file);

/*
 * Write a file, in one step and to the disk, for us only if it is secret and
 * for everybody to read otherwise.  Returns 0, or -1, logged, with the old file
 * as it was.
 */
int folder_write(const struct folder *folder, const char *name, bool secret,
                 const void *bytes, size_t length);

#endif
