/*
 * fuzz_urlpath.c - request targets, and what is answered for them
 *
 * Input: one byte for the room, the request target.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "proxy/urlpath.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

#define ROOM 512

/* What was decoded, with all that must be escaped, decodes to itself. */
static void
round_trip(const char *path)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = strlen(path);
    char *escaped = malloc(3 * length);
    char again[ROOM];
    size_t used = 0;

    REQUIRE(escaped != NULL);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)path[i];

        if (i == 0) {
            escaped[used++] = '/';
        } else {
            escaped[used++] = '%';
            escaped[used++] = digits[c >> 4];
            escaped[used++] = digits[c & 15];
        }
    }
    REQUIRE(urlpath_decode(escaped, used, again, sizeof again));
    REQUIRE(strcmp(again, path) == 0);
    free(escaped);
}

/* No query, no second decoding: a '%' that is left came from "%25". */
static void
check_path(const char *path, const uint8_t *target, size_t length)
{
    size_t percents = 0, escapes = 0;

    REQUIRE(path[0] == '/' && strlen(path) < ROOM && strlen(path) <= length);
    for (const char *at = path; *at != '\0'; at++)
        percents += *at == '%';
    for (size_t i = 0; i + 2 < length; i++)
        escapes += memcmp(target + i, "%25", 3) == 0;
    REQUIRE(percents <= escapes);
    round_trip(path);
}

static void
answer(const char *path)
{
    struct http_request request = {.path = path, .query = "", .accept = ""};
    struct http_reply reply = {0};

    routes_answer(served(), &request, &reply);
    served_check(path, &reply);
    free(reply.body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct fuzz_input input = {bytes, length};
    size_t room = fuzz_byte(&input);
    size_t size;
    uint8_t *target = fuzz_take(&input, input.left, &size);
    char *small = malloc(room > 0 ? room : 1);
    char path[ROOM];
    bool fits;
    bool fits_small;

    REQUIRE(small != NULL);
    fits = urlpath_decode((char *)target, size, path, sizeof path);
    fits_small = urlpath_decode((char *)target, size, small, room);
    REQUIRE(fits_small == (fits && strlen(path) < room));
    if (fits) {
        REQUIRE(!fits_small || strcmp(small, path) == 0);
        check_path(path, target, size);
        answer(path);
    }
    free(small);
    free(target);
    return 0;
}
