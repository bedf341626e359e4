/*
 * fuzz_query.c - queries of the API, and what is answered for them
 *
 * Input: one byte for the resource, the query.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "proxy/query.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/served.h"

static const char *const paths[] = {"/", "/api/connections", "/api/verdicts",
                                    "/api/report"};

static const char *const words[] = {"pass", "fail", "open"};

struct asked {
    struct query_text test;
    struct query_number since;
    struct query_word verdict;
};

static const struct query_rule rules[] = {
    {"test", QUERY_TEXT, offsetof(struct asked, test), 0, NULL},
    {"since", QUERY_NUMBER, offsetof(struct asked, since), 1000, NULL},
    {"verdict", QUERY_WORD, offsetof(struct asked, verdict), 3, words},
};

/* A value in its range, or one sentence that begins with the name. */
static void
check_values(const char *query, size_t length)
{
    struct asked asked = {.test = {.given = false}};
    char error[QUERY_ERROR_MAX] = "";
    bool named = false;

    if (query_read(query, length, rules, 3, &asked, error)) {
        REQUIRE(*error == '\0');
        REQUIRE(asked.test.length <= QUERY_TEXT_MAX);
        REQUIRE(asked.test.bytes[asked.test.length] == '\0');
        REQUIRE(asked.since.value <= 1000 && asked.verdict.value < 3);
        return;
    }
    for (int i = 0; i < 3; i++)
        named |= strncmp(error, rules[i].name, strlen(rules[i].name)) == 0;
    REQUIRE(named && fuzz_is_printable(error));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct fuzz_input input = {bytes, length};
    const char *path = paths[fuzz_byte(&input) % 4];
    struct http_reply reply = {0};
    struct http_request request = {.path = path, .accept = ""};
    uint8_t *query = fuzz_take(&input, input.left, &request.query_length);

    request.query = (char *)query;
    request.waiting = HTTP_WAITED;
    REQUIRE(net_numeric("127.0.0.1", 1, &request.client));
    check_values(request.query, request.query_length);
    routes_answer(served(), &request, &reply);
    served_check(path, &reply);
    REQUIRE(reply.status == 200 || path[1] != '\0');
    for (size_t i = 0; i < reply.length; i++)
        REQUIRE(reply.body[i] == '\n'
                || (reply.body[i] >= ' ' && reply.body[i] < 0x7f));
    free(reply.body);
    free(query);
    return 0;
}
