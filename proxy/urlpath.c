/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/urlpath.h"

#include <string.h>
#include <strings.h>

#include "proxy/percent.h"

/* "http://host:port/path": a proxy's form, which every server must take. */
static void
skip_authority(const char **at, const char *end)
{
    static const char scheme[] = "http://";
    const size_t length = sizeof scheme - 1;

    if ((size_t)(end - *at) < length || strncasecmp(*at, scheme, length) != 0)
        return;
    *at += length;
    while (*at < end && **at != '/' && **at != '?')
        (*at)++;
}

bool
urlpath_decode(const char *target, size_t length, char *out, size_t room)
{
    const char *at = target;
    const char *end = target + length;
    size_t used = 0;

    skip_authority(&at, end);
    if (at == end || *at != '/')
        return false;
    while (at < end && *at != '?') {
        int c = percent_take(&at, end);

        if (c <= 0 || used + 1 >= room)
            return false;
        out[used++] = (char)c;
    }
    out[used] = '\0';
    return true;
}
