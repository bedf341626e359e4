/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "certs/atomic.h"

#define LOCK_NAME         "lock"
#define LOCK_POLL_SECONDS 0.01

/* A directory that is new must itself last: hence its parent, as far as we may
 * open it.  The mode is set again because of the umask. */
static int
make_directory(const char *path)
{
    int fd;
    int parent;
    int result;

    if (mkdir(path, S_IRWXU) == -1)
        return errno == EEXIST ? 0 : -1;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1)
        return -1;
    result = fchmod(fd, S_IRWXU);
    parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent != -1) {
        (void)fsync(parent);
        close(parent);
    }
    close(fd);
    return result;
}

static int
open_directory(struct folder *folder, bool make)
{
    const char *path = folder->path;
    struct stat status;

    if (make && make_directory(path) == -1) {
        log_errno("cannot make directory %s", path);
        return -1;
    }
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd == -1 || fstat(folder->fd, &status) == -1) {
        log_errno("cannot open directory %s", path);
        return -1;
    }
    if (status.st_uid != geteuid()) {
        log_error("%s belongs to user %u, and we are user %u", path,
                  (unsigned)status.st_uid, (unsigned)geteuid());
        return -1;
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        log_error("%s is writable for others (mode %03o)", path,
                  (unsigned)status.st_mode & 0777);
        return -1;
    }
    return 0;
}

/* Asked for again and again, since nothing else puts a limit to the waiting. */
static int
take_lock(struct folder *folder, double wait_seconds)
{
    const struct timespec pause = {.tv_nsec = (long)(LOCK_POLL_SECONDS * 1e9)};

    folder->lock = openat(folder->fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC,
                          S_IRUSR | S_IWUSR);
    if (folder->lock == -1) {
        log_errno("cannot open %s/" LOCK_NAME, folder->path);
        return -1;
    }
    while (flock(folder->lock, LOCK_EX | LOCK_NB) == -1) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            log_errno("cannot lock %s/" LOCK_NAME, folder->path);
            return -1;
        }
        if (wait_seconds <= 0) {
            log_error("%s/" LOCK_NAME " is held by another process for long",
                      folder->path);
            return -1;
        }
        nanosleep(&pause, NULL);
        wait_seconds -= LOCK_POLL_SECONDS;
    }
    return 0;
}

int
folder_open(struct folder *folder, const char *path, bool make,
            double wait_seconds)
{
    *folder = (struct folder){.path = path, .fd = -1, .lock = -1};
    if (open_directory(folder, make) == 0
        && take_lock(folder, wait_seconds) == 0)
        return 0;
    folder_close(folder);
    return -1;
}

void
folder_close(struct folder *folder)
{
    if (folder->lock != -1)
        close(folder->lock);
    if (folder->fd != -1)
        close(folder->fd);
    folder->lock = folder->fd = -1;
}

/* Says what is wrong with the file itself, as the end of a sentence. */
static const char *
flaw(const struct stat *status, bool secret)
{
    if (!S_ISREG(status->st_mode))
        return "is no file";
    if (status->st_size > FOLDER_FILE_MAX)
        return "is too long";
    if (secret && status->st_uid != geteuid())
        return "belongs to another user";
    if (secret && (status->st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return "is a secret that others can read or write; its mode must be "
               "0600";
    return NULL;
}

static int
read_all(int fd, struct folder_file *file)
{
    file->length = 0;
    while (file->length < sizeof file->bytes) {
        ssize_t n = read(fd, file->bytes + file->length,
                         sizeof file->bytes - file->length);

        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        file->length += (size_t)n;
    }
    return 0;
}

enum folder_result
folder_read(const struct folder *folder, const char *name, bool secret,
            struct folder_file *file)
{
    enum folder_result result = FOLDER_FAILED;
    struct stat status;
    const char *problem;
    /* Non-blocking, for the case that it is a pipe. */
    int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd == -1 && errno == ENOENT)
        return FOLDER_MISSING;
    if (fd == -1 || fstat(fd, &status) == -1) {
        log_errno("cannot read %s/%s", folder->path, name);
        goto done;
    }
    problem = flaw(&status, secret);
    if (problem != NULL)
        log_error("%s/%s %s", folder->path, name, problem);
    else if (read_all(fd, file) == -1)
        log_errno("cannot read %s/%s", folder->path, name);
    else
        result = FOLDER_READ;

done:
    if (fd != -1)
        close(fd);
    return result;
}

int
folder_write(const struct folder *folder, const char *name, bool secret,
             const void *bytes, size_t length)
{
    if (atomic_keep(folder->fd, name, bytes, length, secret ? 0600 : 0644) == 0)
        return 0;
    log_errno("cannot write %s/%s", folder->path, name);
    return -1;
}
