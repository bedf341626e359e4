/* SPDX-License-Identifier: MPL-2.0 */
#include "mapisim/ending.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"

static const struct {
    const char *name; /* for JSON */
    const char *text;
    enum log_level level;
} endings[] = {
    [ENDING_SERVED] = {"served", "served", LOG_DEBUG},
    [ENDING_LEFT] = {"left", "left without a response", LOG_DEBUG},
    [ENDING_BAD_PROXY] = {"bad_proxy", "invalid PROXY header", LOG_WARNING},
    [ENDING_CUT_PROXY] = {"cut_proxy", "left inside its PROXY header",
                          LOG_WARNING},
    [ENDING_NO_PROXY] = {"no_proxy", "no PROXY header in time", LOG_WARNING},
    [ENDING_BAD_BLOCK] = {"bad_block", "block of more than 8190 bytes",
                          LOG_WARNING},
    [ENDING_TOO_LONG] = {"too_long", "response of more than 64 KiB",
                         LOG_WARNING},
    [ENDING_CUT] = {"cut", "left inside its response", LOG_WARNING},
    [ENDING_LOGIN_TIMEOUT] = {"login_timeout", "no response in time",
                              LOG_WARNING},
    [ENDING_IDLE] = {"idle", "logged in, and silent since", LOG_DEBUG},
    [ENDING_WRITE_TIMEOUT] = {"write_timeout", "does not read the last message",
                              LOG_WARNING},
    [ENDING_STOPPED] = {"stopped", "ended because the simulator stops",
                        LOG_WARNING},
    [ENDING_FAILED] = {"failed", "cannot be served", LOG_ERROR},
};

void
ending_log(const struct ending_facts *facts)
{
    const char *reason = endings[facts->ending].text;
    enum log_level level = endings[facts->ending].level;
    const char *colon = facts->detail[0] == '\0' ? "" : ": ";
    char peer[NET_TEXT_MAX];
    char text[512];

    if (!log_wants(level))
        return;
    net_text(facts->peer, peer);
    snprintf(text, sizeof text, "%s on %s: %s%s%s (%" PRIu64 " so far)", peer,
             facts->port, reason, colon, facts->detail, facts->count);
    log_record(level, text,
               json_pack("{s:s, s:s, s:s, s:s, s:I}", "peer", peer, "port",
                         facts->port, "end", endings[facts->ending].name,
                         "detail", facts->detail, "count",
                         (json_int_t)facts->count));
}

char *
ending_counts(const uint64_t counts[ENDINGS], char *out, size_t room)
{
    size_t used = 0;

    snprintf(out, room, "none");
    for (int i = 0; i < ENDINGS; i++) {
        int n;

        if (counts[i] == 0)
            continue;
        n = snprintf(out + used, room - used, "%s%" PRIu64 " %s",
                     used == 0 ? "" : ", ", counts[i], endings[i].text);
        if (n < 0 || (size_t)n >= room - used)
            break;
        used += (size_t)n;
    }
    return out;
}
