/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proxy/percent.h"

/* Longer than any name of a rule. */
#define NAME_ROOM 32

struct span {
    const char *at;
    size_t length;
};

enum decoded { DECODED, TOO_LONG, BROKEN };

/* Decode into out, of `room` bytes with the NUL behind it. */
static enum decoded
decode(struct span in, char *out, size_t room, size_t *length)
{
    const char *at = in.at;
    const char *end = in.at + in.length;

    *length = 0;
    while (at < end) {
        int c = percent_take(&at, end);

        if (c < 0)
            return BROKEN;
        if (*length + 1 >= room)
            return TOO_LONG;
        out[(*length)++] = (char)c;
    }
    out[*length] = '\0';
    return DECODED;
}

/* Take what is in front of the separator off the span. */
static struct span
split(struct span *rest, char separator)
{
    const char *at =
        rest->length > 0 ? memchr(rest->at, separator, rest->length) : NULL;
    struct span head = {rest->at, rest->length};

    if (at == NULL) {
        *rest = (struct span){rest->at + rest->length, 0};
        return head;
    }
    head.length = (size_t)(at - rest->at);
    *rest = (struct span){at + 1, rest->length - head.length - 1};
    return head;
}

/* The value of the last parameter of that name. */
static bool
find_last(struct span query, const char *name, struct span *value)
{
    bool found = false;

    while (query.length > 0) {
        struct span parameter = split(&query, '&');
        struct span key = split(&parameter, '=');
        char decoded[NAME_ROOM];
        size_t length;

        if (decode(key, decoded, sizeof decoded, &length) != DECODED
            || strlen(name) != length || memcmp(decoded, name, length) != 0)
            continue;
        *value = parameter;
        found = true;
    }
    return found;
}

static bool
read_number(const struct query_text *text, uint64_t most,
            struct query_number *number)
{
    uint64_t value = 0;

    if (text->length == 0)
        return false;
    for (size_t i = 0; i < text->length; i++) {
        char c = text->bytes[i];

        if (c < '0' || c > '9' || value > (UINT64_MAX - 9) / 10)
            return false;
        value = 10 * value + (uint64_t)(c - '0');
    }
    *number = (struct query_number){true, value};
    return value <= most;
}

static bool
read_word(const struct query_text *text, const struct query_rule *rule,
          struct query_word *word)
{
    for (unsigned i = 0; i < rule->most; i++)
        if (strlen(rule->words[i]) == text->length
            && memcmp(rule->words[i], text->bytes, text->length) == 0) {
            *word = (struct query_word){true, i};
            return true;
        }
    return false;
}

/* "pass, fail or open" */
static void
list_words(const struct query_rule *rule, char *out, size_t room)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < rule->most && used < room; i++) {
        const char *between = i == 0 ? "" : i + 1 == rule->most ? " or " : ", ";
        int n =
            snprintf(out + used, room - used, "%s%s", between, rule->words[i]);

        used += n > 0 ? (size_t)n : 0;
    }
}

static bool
read_value(const struct query_rule *rule, struct span value, void *field,
           char error[QUERY_ERROR_MAX])
{
    struct query_text text = {.given = true};
    char words[QUERY_ERROR_MAX / 2];

    switch (decode(value, text.bytes, sizeof text.bytes, &text.length)) {
    case DECODED:
        break;
    case TOO_LONG:
        snprintf(error, QUERY_ERROR_MAX, "%s is longer than %d bytes",
                 rule->name, QUERY_TEXT_MAX);
        return false;
    case BROKEN:
        snprintf(error, QUERY_ERROR_MAX,
                 "%s has a %% without two hexadecimal digits", rule->name);
        return false;
    }
    switch (rule->kind) {
    case QUERY_TEXT:
        *(struct query_text *)field = text;
        return true;
    case QUERY_NUMBER:
        if (read_number(&text, rule->most, field))
            return true;
        snprintf(error, QUERY_ERROR_MAX,
                 "%s must be a number from 0 to %" PRIu64, rule->name,
                 rule->most);
        return false;
    case QUERY_WORD:
        if (read_word(&text, rule, field))
            return true;
        list_words(rule, words, sizeof words);
        snprintf(error, QUERY_ERROR_MAX, "%s must be %s", rule->name, words);
        return false;
    }
    return false;
}

bool
query_read(const char *query, size_t length, const struct query_rule *rules,
           size_t count, void *out, char error[QUERY_ERROR_MAX])
{
    for (size_t i = 0; i < count; i++) {
        struct span value;

        if (find_last((struct span){query, length}, rules[i].name, &value)
            && !read_value(&rules[i], value, (char *)out + rules[i].offset,
                           error))
            return false;
    }
    return true;
}
