/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/jsontext.h"

#include <stdbool.h>
#include <string.h>

#define BLANKS " \t\r\n"

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
