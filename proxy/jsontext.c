/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/jsontext.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BLANKS " \t\r\n"

/* The bytes of the character that begins at `at`, of which `left` are there; 0:
 * it is none. */
static size_t
character(const uint8_t *at, size_t left)
{
    /* By the first byte: how many, and which the second may be. */
    static const struct {
        uint8_t first, last, length, from, to;
    } rows[] = {
        {0x01, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf},
        {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
        {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
        {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf},
        {0xf4, 0xf4, 4, 0x80, 0x8f},
    };
    size_t row = 0;

    while (row < sizeof rows / sizeof rows[0] && *at > rows[row].last)
        row++;
    if (row == sizeof rows / sizeof rows[0] || *at < rows[row].first
        || rows[row].length > left)
        return 0;
    if (rows[row].length > 1
        && (at[1] < rows[row].from || at[1] > rows[row].to))
        return 0;
    for (size_t i = 2; i < rows[row].length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return rows[row].length;
}

int
jsontext_flaw(const char *text, size_t length)
{
    const uint8_t *bytes = (const uint8_t *)text;
    int line = 1;

    for (size_t at = 0, n; at < length; at += n) {
        n = character(bytes + at, length - at);
        if (n == 0)
            return line;
        line += bytes[at] == '\n';
    }
    return 0;
}

void
jsontext_blank_comments(char *text, size_t length)
{
    bool in_string = false, in_comment = false;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') {
            in_string = false; /* an error, which the parser will find */
            in_comment = false;
        } else if (in_comment) {
            text[i] = ' ';
        } else if (in_string && text[i] == '\\') {
            i += i + 1 < length && text[i + 1] != '\n';
        } else if (text[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && text[i] == '/' && i + 1 < length
                   && text[i + 1] == '/') {
            in_comment = true;
            text[i] = ' ';
        }
    }
}

/* The quote that ends the string whose first one is at `at`. */
static const char *
string_end(const char *at)
{
    at++;
    while (*at != '"' && *at != '\0')
        at += *at == '\\' && at[1] != '\0' ? 2 : 1;
    return at;
}

const char *
jsontext_first(const char *container)
{
    container++;
    return container + strspn(container, BLANKS);
}

const char *
jsontext_next(const char *child)
{
    size_t depth = 0;

    for (; *child != '\0' && (*child != ',' || depth > 0); child++) {
        if (*child == '"')
            child = string_end(child);
        else if (*child == '[' || *child == '{')
            depth++;
        else if (*child == ']' || *child == '}')
            depth--;
        if (*child == '\0')
            return child;
    }
    child += *child == ',';
    return child + strspn(child, BLANKS);
}

const char *
jsontext_value(const char *member)
{
    member = string_end(member) + 1;
    return member + strspn(member, ":" BLANKS);
}

int
jsontext_lines(const char *from, const char *to)
{
    int lines = 0;

    while ((from = memchr(from, '\n', (size_t)(to - from))) != NULL) {
        lines++;
        from++;
    }
    return lines;
}
