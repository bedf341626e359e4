/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/percent.h"

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int
percent_take(const char **at, const char *end)
{
    const char *text = *at;

    if (*text != '%') {
        *at = text + 1;
        return (unsigned char)*text;
    }
    if (end - text < 3 || hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0)
        return -1;
    *at = text + 3;
    return hex_digit(text[1]) << 4 | hex_digit(text[2]);
}
