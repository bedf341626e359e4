/*
 * operator_files.h - the files that a configuration names
 *
 * The master opens them and looks at their modes, but never reads them; the
 * descriptors are what workers read.  So a worker that is restarted serves what
 * was checked, even if somebody is just then replacing the files, and needs no
 * right of its own to open them.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_OPERATOR_FILES_H
#define PROXY_OPERATOR_FILES_H

#include <stdbool.h>

#include "proxy/config.h"

#define OPERATOR_FILE_MAX (1024 * 1024)

/* What tells that a file is another, or has changed. */
struct operator_signature {
    uint64_t hash;
};

/*
 * Open all certificate, key and CA files.  A private key that others may read
 * is an error unless allowed.  Returns 0, or -1 with the culprit logged.
 */
int operator_files_open(struct config *config, bool allow_world_readable);

/* What stands under the names now, also if it cannot be opened. */
struct operator_signature operator_files_signature(const struct config *config);

/*
 * The content of an open file, which the caller frees by
 * operator_file_wipe(); NULL, the reason logged, if it cannot be read.
 */
char *operator_file_read(const struct config *config,
                         const struct operator_file *file, size_t *length);

/* Overwrite and free what operator_file_read() gave; NULL does nothing. */
void operator_file_wipe(char *bytes);

/* Call visit for every open descriptor. */
void operator_files_each(const struct config *config,
                         void (*visit)(void *context, int fd), void *context);

#endif
