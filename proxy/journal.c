/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/journal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "proxy/account.h"
#include "proxy/outcome.h"

/* Every byte may become four: \xHH. */
#define ESCAPED_ROOM (4 * 255 + 1)

static void append(char *out, size_t room, size_t *used, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

static void
append(char *out, size_t room, size_t *used, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(out + *used, room - *used, format, args);
    va_end(args);
    if (n > 0)
        *used += (size_t)n < room - *used ? (size_t)n : room - *used - 1;
}

static void
append_tls(const struct event *e, char *out, size_t room, size_t *used)
{
    const char *version = event_tls_version(e);
    char escaped[ESCAPED_ROOM];

    if (version != NULL)
        append(out, room, used, " %s %s", version, e->cipher);
    if (e->resumed)
        append(out, room, used, " resumed");
    if (e->sni.length > 0)
        append(
            out, room, used, " sni=\"%s\"",
            log_escape(escaped, sizeof escaped, e->sni.bytes, e->sni.length));
    if (e->alpn_selected.length > 0)
        append(out, room, used, " alpn=\"%s\"",
               log_escape(escaped, sizeof escaped, e->alpn_selected.bytes,
                          e->alpn_selected.length));
    if (e->client_certificate)
        append(out, room, used, " client=\"%s\"",
               log_escape(escaped, sizeof escaped, e->client_subject.bytes,
                          e->client_subject.length));
}

char *
journal_line(const struct event *e, const char *name, char *out, size_t room)
{
    char client[NET_TEXT_MAX];
    char sentence[512];
    size_t used = 0;

    append(out, room, &used, "%s %s", name, net_text(&e->client, client));
    if (e->via.length != 0)
        append(out, room, &used, " via %s", net_text(&e->via, client));
    append_tls(e, out, room, &used);
    append(out, room, &used, ": %s",
           outcome_sentence(e, sentence, sizeof sentence));
    if (!event_is_probe(e))
        append(out, room, &used,
               " (%" PRIu64 " bytes up, %" PRIu64 " down, %.3f s)", e->bytes_up,
               e->bytes_down, (double)e->total_seconds);
    return out;
}

void
journal_write(const struct event *event, const char *name,
              const struct port_policy *row)
{
    enum log_level level = outcome_level(event);
    char line[4096];

    if (log_wants(level))
        log_record(level, journal_line(event, name, line, sizeof line),
                   log_has_fields() ? account_json(event, name, row) : NULL);
}
