/*
 * fuzz_proxy2.c - PROXY headers: decoding, and what was decoded encoded again
 *
 * Input: the header and what follows it.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "base/proxy2.h"
#include "tests/fuzz/fuzz.h"

#define FIXED_SIZE 16

static bool
same_slice(struct slice a, struct slice b)
{
    if ((a.bytes == NULL) != (b.bytes == NULL) || a.length != b.length)
        return false;
    return a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0;
}

static bool
same_address(const struct proxy2_address *a, const struct proxy2_address *b)
{
    return a->length == b->length && a->port == b->port
           && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static void
check_slices(const struct proxy2 *h, const uint8_t *bytes, size_t size)
{
    const struct slice slices[] = {
        h->alpn,   h->authority,  h->unique_id,    h->port_name, h->tls_version,
        h->tls_cn, h->tls_cipher, h->last_message, h->behaviour,
    };

    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        if (slices[i].bytes == NULL) {
            REQUIRE(slices[i].length == 0);
            continue;
        }
        REQUIRE(slices[i].bytes >= bytes + FIXED_SIZE);
        REQUIRE(slices[i].length <= (size_t)(bytes + size - slices[i].bytes));
    }
    REQUIRE(h->unique_id.length <= 128);
}

/* All that a header can say survives; TLS details need the TLS bit. */
static void
check_same(const struct proxy2 *was, const struct proxy2 *is)
{
    REQUIRE(was->local == is->local);
    REQUIRE(same_address(&was->source, &is->source));
    REQUIRE(same_address(&was->destination, &is->destination));
    REQUIRE(same_slice(was->alpn, is->alpn));
    REQUIRE(same_slice(was->authority, is->authority));
    REQUIRE(same_slice(was->unique_id, is->unique_id));
    REQUIRE(same_slice(was->port_name, is->port_name));
    REQUIRE(same_slice(was->last_message, is->last_message));
    REQUIRE(same_slice(was->behaviour, is->behaviour));
    REQUIRE(was->tls == is->tls);
    if (!was->tls)
        return;
    REQUIRE(was->client_certificate == is->client_certificate);
    REQUIRE(same_slice(was->tls_version, is->tls_version));
    REQUIRE(same_slice(was->tls_cn, is->tls_cn));
    REQUIRE(same_slice(was->tls_cipher, is->tls_cipher));
    if (was->verify == 0 && !was->client_certificate)
        REQUIRE(is->verify == 1);
    else
        REQUIRE(is->verify == was->verify);
}

static void
round_trip(const struct proxy2 *header)
{
    uint8_t out[PROXY2_MAX];
    size_t size = proxy2_encode(header, out, sizeof out);
    size_t again_size;
    struct proxy2 again;
    const char *reason;
    uint8_t *exact;

    REQUIRE(size >= FIXED_SIZE);
    exact = malloc(size);
    REQUIRE(exact != NULL);
    for (size_t room = 0; room < size; room += 1 + room / 2)
        REQUIRE(proxy2_encode(header, exact, room) == 0);
    REQUIRE(proxy2_encode(header, exact, size - 1) == 0);
    REQUIRE(proxy2_encode(header, exact, size) == size);
    REQUIRE(memcmp(exact, out, size) == 0);
    REQUIRE(proxy2_decode(exact, size, &again, &again_size, &reason)
            == PROXY2_OK);
    REQUIRE(again_size == size);
    check_same(header, &again);
    free(exact);
}

/* What a prefix is told must not be taken back later. */
static void
check_prefixes(const uint8_t *bytes, size_t length, enum proxy2_status status,
               size_t size)
{
    for (size_t n = 0; n < length; n += 1 + n / 8) {
        size_t prefix_size = 0;
        size_t copy_length;
        struct fuzz_input input = {bytes, n};
        uint8_t *copy = fuzz_take(&input, n, &copy_length);
        struct proxy2 header;
        const char *reason;
        enum proxy2_status early =
            proxy2_decode(copy, n, &header, &prefix_size, &reason);

        free(copy);
        if (early == PROXY2_OK)
            REQUIRE(status == PROXY2_OK && prefix_size == size && n >= size);
        if (early == PROXY2_INVALID)
            REQUIRE(status == PROXY2_INVALID && reason != NULL);
        if (early == PROXY2_MORE && status == PROXY2_OK)
            REQUIRE(n < size);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct proxy2 header;
    const char *reason = NULL;
    size_t size = 0;
    enum proxy2_status status =
        proxy2_decode(bytes, length, &header, &size, &reason);

    check_prefixes(bytes, length, status, size);
    switch (status) {
    case PROXY2_MORE:
        REQUIRE(length < PROXY2_MAX);
        break;
    case PROXY2_INVALID:
        REQUIRE(reason != NULL && fuzz_is_printable(reason));
        break;
    case PROXY2_OK:
        REQUIRE(size >= FIXED_SIZE && size <= length && size <= PROXY2_MAX);
        check_slices(&header, bytes, size);
        round_trip(&header);
        break;
    }
    return 0;
}
