/*
 * fuzz_progress.c - how far an exchange came, whatever both sides send
 *
 * The result never goes back, and does not depend on how the bytes are cut.
 *
 * Input: pieces, each behind a byte: whose it is (bit 0) and its length.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdlib.h>

#include "proxy/progress.h"
#include "tests/fuzz/fuzz.h"

/* All pieces, each cut into parts of at most n bytes. */
static enum event_mapi
hear_all(struct fuzz_input input, size_t n)
{
    enum event_mapi reached, before = MAPI_NONE;
    struct progress progress;

    progress_begin(&progress, &reached);
    while (input.left > 0) {
        uint8_t head = fuzz_byte(&input);
        size_t length;
        uint8_t *bytes = fuzz_take(&input, head >> 1, &length);

        for (size_t at = 0; at < length; at += n)
            progress_heard(&progress, head & 1, bytes + at,
                           n < length - at ? n : length - at);
        free(bytes);
        REQUIRE(reached >= before && reached <= MAPI_COMPLETE);
        before = reached;
    }
    return reached;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct fuzz_input input = {bytes, length};
    enum event_mapi whole = hear_all(input, length + 1);

    REQUIRE(hear_all(input, 1) == whole);
    REQUIRE(hear_all(input, 7) == whole);
    return 0;
}
