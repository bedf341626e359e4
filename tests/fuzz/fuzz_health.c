/*
 * fuzz_health.c - what mapitest --health is given: a URL, and a reply
 *
 * Input: one byte; if it is 'u' a URL follows, if not the reply.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "proxy/health.h"
#include "tests/fuzz/fuzz.h"

/* What goes into the request: no blank, no line of its own. */
static bool
is_one_word(const char *text)
{
    return *text != '\0' && fuzz_is_printable(text)
           && strchr(text, ' ') == NULL;
}

/* A URL that is taken is the same when it is put together again. */
static void
check_url(const char *text)
{
    struct health_url url;
    struct health_url other;
    char again[sizeof url];
    const char *problem = health_parse_url(text, &url);

    if (problem != NULL) {
        REQUIRE(fuzz_is_printable(problem));
        return;
    }
    REQUIRE(is_one_word(url.authority) && is_one_word(url.host));
    REQUIRE(is_one_word(url.path) && *url.path == '/');
    REQUIRE(url.port != 0);
    REQUIRE(strncmp(text + 7, url.authority, strlen(url.authority)) == 0);
    REQUIRE(strstr(url.authority, url.host) != NULL);
    strcpy(again, "http://");
    strcat(again, url.authority);
    strcat(again, url.path);
    REQUIRE(health_parse_url(again, &other) == NULL);
    REQUIRE(strcmp(other.host, url.host) == 0 && other.port == url.port);
    REQUIRE(strcmp(other.path, url.path) == 0);
}

static void
check_reply(const uint8_t *reply, size_t length)
{
    char text[HEALTH_TEXT_MAX];
    bool healthy;

    memset(text, 'x', sizeof text);
    healthy = health_judge((const char *)reply, length, text);
    REQUIRE(memchr(text, '\0', sizeof text - 1) != NULL);
    REQUIRE(*text != '\0' && fuzz_is_printable(text));
    REQUIRE(healthy == (strstr(text, ", up ") != NULL));
    if (healthy)
        REQUIRE(memcmp(reply, "HTTP/1.", 7) == 0
                && memcmp(reply + 9, "200", 3) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct fuzz_input input = {bytes, length};
    bool is_url = fuzz_byte(&input) == 'u';
    size_t size;
    uint8_t *rest = fuzz_take(&input, input.left, &size);
    char *text = strndup((const char *)rest, size);

    REQUIRE(text != NULL);
    if (is_url)
        check_url(text);
    else
        check_reply(rest, size);
    free(text);
    free(rest);
    return 0;
}
