/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/redirect.h"

#include <string.h>
#include <strings.h>

#include "base/net.h"

#define TLS    "^monetdbs://"
#define AGAIN  "^mapi:merovingian://proxy"
#define PLAIN  "^monetdb://"
#define LEGACY "^mapi:monetdb://"

static struct slice
strip(struct slice line)
{
    while (line.length > 0 && *line.bytes <= ' ') {
        line.bytes++;
        line.length--;
    }
    while (line.length > 0 && line.bytes[line.length - 1] <= ' ')
        line.length--;
    return line;
}

/* The line behind that prefix, or an empty slice with NULL. */
static struct slice
after(struct slice line, const char *prefix)
{
    size_t n = strlen(prefix);

    if (line.length < n
        || strncasecmp((const char *)line.bytes, prefix, n) != 0)
        return (struct slice){NULL, 0};
    return (struct slice){line.bytes + n, line.length - n};
}

/* Exactly so: who writes it otherwise may not mean the same to a client. */
static bool
begins(struct slice line, const char *prefix)
{
    size_t n = strlen(prefix);

    return line.length >= n && memcmp(line.bytes, prefix, n) == 0;
}

enum redirect_kind
redirect_classify(struct slice line)
{
    line = strip(line);
    if (line.length == 0 || *line.bytes != '^')
        return REDIRECT_NONE;
    if (begins(line, TLS))
        return REDIRECT_TLS;
    if (begins(line, AGAIN)
        && (line.length == strlen(AGAIN) || line.bytes[strlen(AGAIN)] == '?'))
        return REDIRECT_AGAIN;
    return REDIRECT_LEAVES;
}

/* How many bytes come before any of these. */
static size_t
span(struct slice text, const char *stops)
{
    size_t n = 0;

    while (n < text.length
           && (text.bytes[n] == '\0' || strchr(stops, text.bytes[n]) == NULL))
        n++;
    return n;
}

static struct slice
skip(struct slice text, size_t n)
{
    return (struct slice){text.bytes + n, text.length - n};
}

/* HOST, HOST:PORT, [v6] or [v6]:PORT. */
static bool
read_authority(struct slice text, char host[NET_HOST_MAX], uint16_t *port)
{
    char copy[NET_HOST_MAX + 16];
    const char *colon;
    int n;

    if (text.length == 0 || text.length >= NET_HOST_MAX
        || memchr(text.bytes, '\0', text.length) != NULL)
        return false;
    n = (int)text.length;
    memcpy(copy, text.bytes, text.length);
    copy[n] = '\0';
    colon = strrchr(copy, ':');
    if (colon == NULL || strchr(colon, ']') != NULL)
        strcpy(copy + n, ":50000");
    return net_split(copy, host, port) == NULL && *host != '\0';
}

/* The old form tells the database in the query, and other things there that
 * the new one does not know; a path is in its place in both. */
static void
write_legacy(struct slice rest, struct wire_writer *out)
{
    static const char key[] = "database=";
    struct slice path = {rest.bytes, span(rest, "?#")};
    struct slice query = skip(rest, path.length);

    if (path.length > 1)
        wire_put(out, path.bytes, path.length);
    while (path.length <= 1 && query.length > 0) {
        struct slice part;

        query = skip(query, 1);
        part = (struct slice){query.bytes, span(query, "&")};
        query = skip(query, part.length);
        if (!begins(part, key))
            continue;
        part = skip(part, strlen(key));
        wire_put(out, "/", 1);
        wire_put(out, part.bytes, part.length);
        break;
    }
}

bool
redirect_rewrite(struct slice line, const struct redirect_place *place,
                 struct wire_writer *out)
{
    struct slice stripped = strip(line);
    struct slice legacy = after(stripped, LEGACY);
    struct slice rest = legacy.bytes != NULL ? legacy : after(stripped, PLAIN);
    char host[NET_HOST_MAX];
    uint16_t port;
    size_t n;

    if (rest.bytes == NULL)
        return false;
    n = span(rest, "/?# \t");
    if (!read_authority((struct slice){rest.bytes, n}, host, &port)
        || !place->is_backend(place->backend, host, port))
        return false;
    rest = skip(rest, n);
    wire_put(out, TLS, strlen(TLS));
    wire_put(out, place->authority, strlen(place->authority));
    if (legacy.bytes != NULL)
        write_legacy(rest, out);
    else
        wire_put(out, rest.bytes, rest.length);
    return true;
}
