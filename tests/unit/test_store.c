/*
 * test_store.c - the files as a blob, and on disk
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "certs/store.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cert_set *set;
static struct store *store;
static char dir[] = "/tmp/test_store-XXXXXX";

static int
setup(void **state)
{
    static const char *const hostnames[] = {"localhost"};

    (void)state;
    set = cert_set_new(hostnames, 1);
    store = set != NULL ? store_new(set) : NULL;
    return store != NULL && mkdtemp(dir) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    store_free(store);
    cert_set_free(set);
    return rmdir(dir);
}

/* Empty the directory; returns how many files there were. */
static size_t
sweep(void)
{
    DIR *listing = opendir(dir);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(listing);
    for (;;) {
        entry = readdir(listing);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(listing), entry->d_name, 0) == -1)
            unlinkat(dirfd(listing), entry->d_name, AT_REMOVEDIR);
        count++;
    }
    closedir(listing);
    return count;
}

static const struct store_file *
find(const char *name)
{
    const struct store_file *file = store_find(store, name);

    if (file == NULL)
        fail_msg("no file %s", name);
    return file;
}

/* Would catch a store that changes with the set, or outlives its memory. */
static void
store_is_independent_of_the_set(void **state)
{
    struct store *renewed;

    (void)state;
    assert_int_equal(cert_set_renew(set), 0);
    renewed = store_new(set);
    assert_non_null(renewed);
    assert_string_equal(store_find(renewed, "server1.key")->bytes,
                        find("server1.key")->bytes);
    assert_string_equal(store_find(renewed, "ca1.crt")->bytes,
                        find("ca1.crt")->bytes);
    assert_string_not_equal(store_find(renewed, "server1.crt")->bytes,
                            find("server1.crt")->bytes);
    store_free(store);
    store = renewed;
}

static void
assert_same(const struct store *a, const struct store *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->files[i].name, b->files[i].name);
        assert_int_equal(a->files[i].text, b->files[i].text);
        assert_int_equal(a->files[i].length, b->files[i].length);
        assert_memory_equal(a->files[i].bytes, b->files[i].bytes,
                            a->files[i].length + 1);
    }
}

/* Unpack a copy of exactly this size, so that a sanitizer sees an overread. */
static struct store *
unpack(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length);
    struct store *unpacked;

    memcpy(copy, bytes, length);
    unpacked = store_unpack(copy, length);
    free(copy);
    return unpacked;
}

/* A blob of the first few files, all kinds: enough for trying every byte. */
static uint8_t *
pack_few(size_t *length)
{
    const struct store few = {.count = 4, .files = store->files};
    uint8_t *blob = store_pack(&few, length);

    assert_non_null(blob);
    return blob;
}

/* Would catch a blob on whose way something is lost. */
static void
pack_and_unpack(void **state)
{
    size_t length = 0;
    uint8_t *blob = store_pack(store, &length);
    struct store *unpacked = unpack(blob, length);

    (void)state;
    assert_non_null(unpacked);
    assert_same(unpacked, store);
    store_free(unpacked);
    free(blob);
}

/* Would catch a blob that is accepted though its end is cut off. */
static void
truncated_blobs(void **state)
{
    size_t length = 0;
    uint8_t *blob = pack_few(&length);

    (void)state;
    for (size_t i = 0; i < length; i++)
        assert_null(unpack(blob, i));
    free(blob);
    assert_null(store_unpack(NULL, 0));
}

/* Would catch a crash or a sanitizer's complaint on a damaged blob. */
static void
damaged_blobs(void **state)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff};
    size_t length = 0;
    uint8_t *blob = pack_few(&length);

    (void)state;
    for (size_t i = 0; i < length; i++) {
        for (size_t k = 0; k < sizeof flips; k++) {
            blob[i] ^= flips[k];
            store_free(unpack(blob, length));
            blob[i] ^= flips[k];
        }
    }
    free(blob);
}

#define TEXT(literal) literal, sizeof literal - 1

/* Would catch a blob that writes outside the directory, or makes us allocate
 * gigabytes. */
static void
crafted_blobs(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        bool valid;
    } rows[] = {
        {TEXT("MCS1\0\0\0\0"), true},
        {TEXT("MCS1\0\0\0\0x"), false},
        {TEXT("MCS2\0\0\0\0"), false},
        {TEXT("MCS1\0\0\0\1\1\0\1a\0\0\0\2hi"), true},
        {TEXT("MCS1\0\0\0\1\0\0\1a\0\0\0\0"), true},
        {TEXT("MCS1\0\0\0\1\2\0\1a\0\0\0\2hi"), false},
        {TEXT("MCS1\0\0\0\1\1\0\1a\0\0\0\2hi!"), false},
        {TEXT("MCS1\0\0\0\2\1\0\1a\0\0\0\2hi"), false},
        {TEXT("MCS1\377\377\377\377\1\0\1a\0\0\0\2hi"), false},
        {TEXT("MCS1\0\0\0\1\1\0\0\0\0\0\2hi"), false},
        {TEXT("MCS1\0\0\0\1\1\0\1/\0\0\0\2hi"), false},
        {TEXT("MCS1\0\0\0\1\1\0\3a/b\0\0\0\2hi"), false},
        {TEXT("MCS1\0\0\0\1\1\0\3a\0b\0\0\0\2hi"), false},
        {TEXT("MCS1\0\0\0\1\1\0\1.\0\0\0\2hi"), false},
        {TEXT("MCS1\0\0\0\1\1\0\2..\0\0\0\2hi"), false},
        {TEXT("MCS1\0\0\0\1\1\0\1a\377\377\377\377hi"), false},
        {TEXT("MCS1\0\0\0\1\1\377\377a\0\0\0\2hi"), false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store *unpacked =
            unpack((const uint8_t *)rows[i].bytes, rows[i].length);

        if ((unpacked != NULL) != rows[i].valid)
            fail_msg("row %zu", i);
        store_free(unpacked);
    }
}

static void
expect_on_disk(const struct store_file *file)
{
    char path[128];
    struct stat status;
    uint8_t *bytes = malloc(file->length);
    FILE *in;

    snprintf(path, sizeof path, "%s/%s", dir, file->name);
    in = fopen(path, "rb");
    assert_non_null(in);
    assert_int_equal(fstat(fileno(in), &status), 0);
    assert_int_equal(status.st_size, file->length);
    assert_int_equal(status.st_mode & 07777,
                     strstr(file->name, ".key") != NULL ? 0600 : 0644);
    assert_int_equal(fread(bytes, 1, file->length, in), file->length);
    assert_memory_equal(bytes, file->bytes, file->length);
    fclose(in);
    free(bytes);
}

/* Would catch wrong content or modes, temporary files left behind, and a umask
 * that decides about the modes. */
static void
written_files(void **state)
{
    static const mode_t masks[] = {0022, 0077, 0000};

    (void)state;
    for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
        mode_t before = umask(masks[m]);
        int result = store_write(store, dir);

        umask(before);
        assert_int_equal(result, 0);
        for (size_t i = 0; i < store->count; i++)
            expect_on_disk(&store->files[i]);
        assert_int_equal(sweep(), store->count);
    }
}

/* Would catch an old file that stays, keeps its mode, or is written through:
 * a symbolic link is replaced and its target left alone. */
static void
existing_files_are_replaced(void **state)
{
    char path[128];
    struct stat status;
    int fd;

    (void)state;
    snprintf(path, sizeof path, "%s/server1.key", dir);
    fd = open(path, O_WRONLY | O_CREAT, 0666);
    assert_true(fd != -1);
    assert_int_equal(fchmod(fd, 0666), 0);
    assert_int_equal(write(fd, "old", 3), 3);
    close(fd);
    snprintf(path, sizeof path, "%s/ca1.crt", dir);
    assert_int_equal(symlink("target", path), 0);

    assert_int_equal(store_write(store, dir), 0);
    expect_on_disk(find("server1.key"));
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_int_equal(store_write(store, dir), 0);
    expect_on_disk(find("ca1.crt"));
    assert_int_equal(sweep(), store->count);
}

/* Would catch a failure that is taken for success, or leaves a temporary file:
 * a directory stands where the first file shall be. */
static void
failed_rename_leaves_nothing(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/%s", dir, store->files[0].name);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(store_write(store, dir), -1);
    assert_int_equal(sweep(), 1);
}

/* Would catch a short write taken for a complete one: the disk is full, as far
 * as this process can tell, after 1000 bytes of a file. */
static void
failed_write_keeps_the_old_file(void **state)
{
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    struct rlimit tight;
    int result;

    (void)state;
    assert_int_equal(store_write(store, dir), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 1000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    result = store_write(store, dir);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);

    assert_int_equal(result, -1);
    expect_on_disk(&store->files[0]);
    assert_int_equal(sweep(), store->count);
}

/* Would catch -w silently writing nowhere. */
static void
bad_directories(void **state)
{
    char path[128];
    int fd;

    (void)state;
    snprintf(path, sizeof path, "%s/missing", dir);
    assert_int_equal(store_write(store, path), -1);
    assert_int_equal(sweep(), 0);
    snprintf(path, sizeof path, "%s/file", dir);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd != -1);
    close(fd);
    assert_int_equal(store_write(store, path), -1);
    assert_int_equal(sweep(), 1);
    assert_int_equal(store_write(store, "/proc/self/fd"), -1);
    assert_int_equal(store_write(store, ""), -1);
    store_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_is_independent_of_the_set),
        cmocka_unit_test(pack_and_unpack),
        cmocka_unit_test(truncated_blobs),
        cmocka_unit_test(damaged_blobs),
        cmocka_unit_test(crafted_blobs),
        cmocka_unit_test(written_files),
        cmocka_unit_test(existing_files_are_replaced),
        cmocka_unit_test(failed_rename_leaves_nothing),
        cmocka_unit_test(failed_write_keeps_the_old_file),
        cmocka_unit_test(bad_directories),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
