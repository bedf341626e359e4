/*
 * fuzz_store.c - the files' blob: what is taken is safe and packs to itself
 *
 * Input: the blob.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "certs/store.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct store *store = store_unpack(bytes, length);
    size_t content = 0;
    size_t packed_length;
    uint8_t *packed;

    if (store == NULL)
        return 0;
    for (size_t i = 0; i < store->count; i++) {
        const struct store_file *file = &store->files[i];

        REQUIRE(*file->name != '\0' && *file->name != '.');
        REQUIRE(strchr(file->name, '/') == NULL);
        REQUIRE(strlen(file->name) <= 255);
        REQUIRE(file->bytes[file->length] == '\0');
        REQUIRE(store_find(store, file->name) != NULL);
        content += file->length;
    }
    REQUIRE(content <= length);
    packed = store_pack(store, &packed_length);
    REQUIRE(packed != NULL);
    REQUIRE(packed_length == length && memcmp(packed, bytes, length) == 0);
    free(packed);
    store_free(store);
    return 0;
}
