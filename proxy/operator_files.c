/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/operator_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "proxy/front.h"

#define FILE_ROOM (OPERATOR_FILE_MAX + 1) /* with a NUL */

enum kind { FILE_PUBLIC, FILE_PRIVATE };

typedef int visitor(void *context, struct operator_file *file, enum kind kind);

/* Visit all files that are named, until one visit returns -1. */
static int
each(struct config *config, visitor *visit, void *context)
{
    for (size_t i = 0; i < config->front_count; i++) {
        struct front *front = &config->fronts[i];

        for (size_t k = 0; k < front->certificate_count; k++) {
            struct operator_certificate *c = &front->certificates[k];
            if (visit(context, &c->chain, FILE_PUBLIC) == -1
                || visit(context, &c->key, FILE_PRIVATE) == -1)
                return -1;
        }
        if (front->client_ca.path != NULL
            && visit(context, &front->client_ca, FILE_PUBLIC) == -1)
            return -1;
    }
    return 0;
}

struct opening {
    const struct config *config;
    bool allow_world_readable;
};

static const char *
flaw(const struct stat *stat, enum kind kind, bool allow_world_readable)
{
    if (!S_ISREG(stat->st_mode))
        return "is not a file";
    if (stat->st_size > OPERATOR_FILE_MAX)
        return "is bigger than a certificate or key can be";
    if (kind == FILE_PRIVATE && (stat->st_mode & 0007) != 0
        && !allow_world_readable)
        return "holds a private key and is open to everybody: chmod o= it, or "
               "start with --allow-world-readable-keys";
    return NULL;
}

static int
open_one(void *context, struct operator_file *file, enum kind kind)
{
    const struct opening *opening = context;
    struct stat stat;
    const char *problem = NULL;

    /* O_NONBLOCK: whoever puts a FIFO there shall not stop us. */
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->fd == -1 || fstat(file->fd, &stat) == -1) {
        config_error(opening->config, file->line, "%s: %s", file->path,
                     strerror(errno));
        return -1;
    }
    problem = flaw(&stat, kind, opening->allow_world_readable);
    if (problem == NULL)
        return 0;
    config_error(opening->config, file->line, "%s %s", file->path, problem);
    return -1;
}

int
operator_files_open(struct config *config, bool allow_world_readable)
{
    struct opening opening = {config, allow_world_readable};

    return each(config, open_one, &opening);
}

/* FNV-1a: no adversary chooses these numbers to collide. */
static uint64_t
mix(uint64_t hash, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * 0x100000001b3;
    return hash;
}

static int
sign_one(void *context, struct operator_file *file, enum kind kind)
{
    uint64_t *hash = context;
    struct stat stat;
    struct {
        uint64_t device, inode, size, mode;
        int64_t seconds, nanoseconds;
    } look = {0};

    (void)kind;
    if (lstat(file->path, &stat) == 0 && S_ISLNK(stat.st_mode))
        *hash = mix(*hash, &stat.st_ino, sizeof stat.st_ino);
    if (fstatat(AT_FDCWD, file->path, &stat, 0) == 0) {
        look.device = stat.st_dev;
        look.inode = stat.st_ino;
        look.size = (uint64_t)stat.st_size;
        look.mode = stat.st_mode;
        look.seconds = stat.st_mtim.tv_sec;
        look.nanoseconds = stat.st_mtim.tv_nsec;
    }
    *hash = mix(*hash, &look, sizeof look);
    return 0;
}

struct operator_signature
operator_files_signature(const struct config *config)
{
    uint64_t hash = 0xcbf29ce484222325;

    each((struct config *)config, sign_one, &hash);
    return (struct operator_signature){hash};
}

char *
operator_file_read(const struct config *config,
                   const struct operator_file *file, size_t *length)
{
    char *bytes = secret_new(FILE_ROOM);
    size_t used = 0;
    ssize_t n;

    if (bytes == NULL) {
        config_error(config, file->line, "%s: no memory", file->path);
        return NULL;
    }
    do {
        n = pread(file->fd, bytes + used, OPERATOR_FILE_MAX - used,
                  (off_t)used);
        used += n > 0 ? (size_t)n : 0;
    } while (n > 0 || (n == -1 && errno == EINTR));
    if (n == 0) {
        bytes[used] = '\0';
        *length = used;
        return bytes;
    }
    config_error(config, file->line, "%s: %s", file->path, strerror(errno));
    operator_file_wipe(bytes);
    return NULL;
}

void
operator_file_wipe(char *bytes)
{
    secret_free(bytes, FILE_ROOM);
}

struct visit {
    void (*call)(void *context, int fd);
    void *context;
};

static int
visit_one(void *context, struct operator_file *file, enum kind kind)
{
    const struct visit *visit = context;

    (void)kind;
    if (file->fd != -1)
        visit->call(visit->context, file->fd);
    return 0;
}

void
operator_files_each(const struct config *config,
                    void (*call)(void *context, int fd), void *context)
{
    struct visit visit = {call, context};

    each((struct config *)config, visit_one, &visit);
}
