/*
 * replay.c - run a fuzz target over files, once each, without libFuzzer
 *
 * usage: fuzz_X FILE-OR-FOLDER...
 *
 * Fails if there is no file at all: a corpus that got lost proves nothing.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

/* Targets that have nothing to prepare do not define it. */
#pragma weak LLVMFuzzerInitialize

/* The bytes of a file in an allocation of exactly their size. */
static uint8_t *
read_file(const char *path, size_t size, size_t *length)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(size > 0 ? size : 1);

    REQUIRE(bytes != NULL);
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    *length = fread(bytes, 1, size, file);
    fclose(file);
    return bytes;
}

static void
replay(const FTSENT *entry)
{
    size_t length;
    uint8_t *bytes = read_file(entry->fts_accpath,
                               (size_t)entry->fts_statp->st_size, &length);

    printf("%s\n", entry->fts_path);
    fflush(stdout); /* the last one is the culprit */
    LLVMFuzzerTestOneInput(bytes, length);
    free(bytes);
}

int
main(int argc, char **argv)
{
    size_t count = 0;
    FTS *tree;
    FTSENT *entry;

    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE-OR-FOLDER...\n", argv[0]);
        return 2;
    }
    if (LLVMFuzzerInitialize != NULL)
        LLVMFuzzerInitialize(&argc, &argv);
    tree = fts_open(argv + 1, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    REQUIRE(tree != NULL);
    while ((entry = fts_read(tree)) != NULL) {
        if (entry->fts_info != FTS_F)
            continue;
        replay(entry);
        count++;
    }
    fts_close(tree);
    printf("%zu inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
