/*
 * query.h - the query of an HTTP request target: parameters, typed and checked
 *
 * What a resource knows is a table of rules.  Names and values are
 * percent-decoded once (RFC 3986: a '+' is a '+'); of the same name the last
 * one counts; names without a rule are ignored.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_QUERY_H
#define PROXY_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUERY_TEXT_MAX  200
#define QUERY_ERROR_MAX 256

struct query_text {
    bool given;
    size_t length;
    char bytes[QUERY_TEXT_MAX + 1]; /* a NUL behind it, and maybe in it */
};

struct query_number {
    bool given;
    uint64_t value;
};

struct query_word {
    bool given;
    unsigned value; /* which of the rule's words */
};

enum query_kind {
    QUERY_TEXT,   /* at most QUERY_TEXT_MAX bytes, whatever they are */
    QUERY_NUMBER, /* decimal, from 0 to most */
    QUERY_WORD,   /* one of words */
};

struct query_rule {
    const char *name;
    enum query_kind kind;
    size_t offset; /* in what query_read() fills: of one of the structs above */
    uint64_t most;
    const char *const *words; /* as many as most says */
};

/*
 * Read the query, what is behind the '?', into the struct at out, whose fields
 * were not given so far.  False: error is one sentence that names the
 * parameter.
 */
bool
query_read(const char *query, size_t length, const struct query_rule *rules,
           size_t count, void *out, char error[QUERY_ERROR_MAX]);

#endif
