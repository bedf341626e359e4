/*
 * fuzz_guard.c - what a backend says during a login, in any pieces
 *
 * Input: one byte for the rule, one for the size of the pieces, what the
 * backend says.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "proxy/guard.h"
#include "tests/fuzz/fuzz.h"

#define ROOM (128 * 1024)

static const char authority[] = "[2001:db8::1]:65535";

/* Every second port is one of the backend's. */
static bool
is_backend(const void *backend, const char *host, uint16_t port)
{
    REQUIRE(backend == authority);
    REQUIRE(*host != '\0');
    return port % 2 == 0;
}

/* Feed all of it, and what was not looked at goes behind. */
static enum guard_status
run(const struct redirect_place *place, const uint8_t *bytes, size_t length,
    size_t piece, struct buf *out)
{
    struct guard *guard = guard_new(place);
    enum guard_status status = GUARD_ON;
    size_t at = 0;

    REQUIRE(guard != NULL);
    while (at < length && status == GUARD_ON) {
        size_t n = length - at < piece ? length - at : piece;
        uint8_t *copy = malloc(n);
        size_t before = out->length;

        REQUIRE(copy != NULL);
        memcpy(copy, bytes + at, n);
        status = guard_feed(guard, copy, n, out);
        free(copy);
        at += n;
        REQUIRE(out->length - before <= GUARD_ROOM);
    }
    if (status == GUARD_ON)
        status = guard_end(guard, out);
    REQUIRE((status == GUARD_REFUSED) == (guard_reason(guard) != NULL));
    if (status == GUARD_OFF)
        REQUIRE(buf_append(out, bytes + at, length - at));
    guard_free(guard);
    return status;
}

/* What is refused is one message, the last. */
static void
check_refusal(const uint8_t *in, size_t length, const struct buf *out)
{
    static const char begin[] = "!08001!";
    const uint8_t *at = buf_peek(out);
    size_t same = 0;

    while (same < length && same < out->length && in[same] == at[same])
        same++;
    for (size_t i = 0; i <= same && i + 2 + 7 < out->length; i++)
        if (memcmp(at + i + 2, begin, 7) == 0
            && i + 2 + (size_t)((at[i] | at[i + 1] << 8) >> 1) == out->length)
            return;
    REQUIRE(!"a refusal that is no message");
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static uint8_t storage[2][ROOM];
    const struct redirect_place here = {authority, authority, is_backend};
    struct fuzz_input input = {bytes, length};
    const struct redirect_place *place = fuzz_byte(&input) % 2 ? &here : NULL;
    size_t piece = (size_t)fuzz_byte(&input) + 1;
    enum guard_status whole, cut;
    struct buf out[2];

    if (input.left > ROOM - GUARD_ROOM)
        input.left = ROOM - GUARD_ROOM;
    for (int i = 0; i < 2; i++)
        buf_init(&out[i], storage[i], ROOM);
    whole = run(place, input.at, input.left, GUARD_PIECE, &out[0]);
    cut = run(place, input.at, input.left, piece, &out[1]);
    REQUIRE(whole == cut && whole != GUARD_ON);
    REQUIRE(out[0].length == out[1].length);
    REQUIRE(memcmp(storage[0], storage[1], out[0].length) == 0);
    if (whole == GUARD_REFUSED) {
        check_refusal(input.at, input.left, &out[0]);
    } else if (place == NULL) {
        REQUIRE(out[0].length == input.left);
        REQUIRE(input.left == 0
                || memcmp(storage[0], input.at, input.left) == 0);
    }
    return 0;
}
