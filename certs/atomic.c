/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"

#define TEMPORARY_MAX 32
#define ATTEMPTS      10

/* Private until the file is complete, whatever its mode is going to be. */
static int
open_temporary(int directory, char name[TEMPORARY_MAX])
{
    for (int i = 0; i < ATTEMPTS; i++) {
        uint64_t number;
        int fd;

        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
            return -1;
        snprintf(name, TEMPORARY_MAX, ".mapitest-%016llx",
                 (unsigned long long)number);
        fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    S_IRUSR | S_IWUSR);
        if (fd != -1 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static int
write_all(int fd, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    while (length > 0) {
        ssize_t n = write(fd, at, length);

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return -1;
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

static int
replace(int directory, const char *name, struct slice content, mode_t mode,
        bool keep)
{
    char temporary[TEMPORARY_MAX];
    int fd = open_temporary(directory, temporary);
    int result = -1;
    int reason;

    if (fd == -1)
        return -1;
    if (write_all(fd, content.bytes, content.length) == -1)
        goto done;
    if (fchmod(fd, mode) == -1 || (keep && fsync(fd) == -1))
        goto done;
    /* A network file system may tell only now that the disk is full. */
    result = close(fd);
    fd = -1;
    if (result == 0)
        result = renameat(directory, temporary, directory, name);

done:
    reason = errno;
    if (fd != -1)
        close(fd);
    if (result == -1)
        unlinkat(directory, temporary, 0);
    errno = reason;
    return result;
}

int
atomic_write(int directory, const char *name, const void *bytes, size_t length,
             mode_t mode)
{
    return replace(directory, name, (struct slice){bytes, length}, mode, false);
}

int
atomic_keep(int directory, const char *name, const void *bytes, size_t length,
            mode_t mode)
{
    if (replace(directory, name, (struct slice){bytes, length}, mode, true)
        == -1)
        return -1;
    /* Some file systems cannot sync a directory, and say so by EINVAL. */
    return fsync(directory) == 0 || errno == EINVAL ? 0 : -1;
}
