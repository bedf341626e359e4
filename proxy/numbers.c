/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/numbers.h"

#include "base/options.h"
#include "proxy/settings.h"

#define LIMIT_MAX   1000000
#define HISTORY_MAX 1000000

static const char *
set_limit(unsigned *limit, const char *value)
{
    return options_number(limit, 0, LIMIT_MAX, value,
                          "is not a number from 0 to 1000000");
}

const char *
numbers_workers(void *settings, const char *value)
{
    struct settings *s = settings;
    uint16_t number;

    if (!net_parse_port(value, &number) || number < 1 || number > WORKERS_MAX)
        return "is not a number from 1 to 64";
    s->workers = number;
    return NULL;
}

const char *
numbers_handshake(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_seconds(&s->timers.handshake, value);
}

const char *
numbers_connect(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_seconds(&s->timers.connect, value);
}

const char *
numbers_first_byte(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_seconds(&s->timers.first_byte, value);
}

const char *
numbers_idle(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_seconds(&s->timers.idle, value);
}

const char *
numbers_stall(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_seconds(&s->timers.stall, value);
}

const char *
numbers_half_closed(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_seconds(&s->timers.half_closed, value);
}

const char *
numbers_keepalive(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_seconds(&s->timers.keepalive, value);
}

const char *
numbers_silence(void *settings, const char *value)
{
    struct settings *s = settings;
    const char *problem = options_seconds(&s->timers.silence, value);

    return problem == NULL && s->timers.silence == 0 ? "would be for ever"
                                                     : problem;
}

const char *
numbers_drain(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_seconds(&s->timers.drain, value);
}

const char *
numbers_renew(void *settings, const char *value)
{
    struct settings *s = settings;
    const char *problem = options_seconds(&s->renew_after, value);

    return problem == NULL && s->renew_after < 1 ? "is less than a second"
                                                 : problem;
}

const char *
numbers_limit_connections(void *settings, const char *value)
{
    struct settings *s = settings;

    return set_limit(&s->limits.connections, value);
}

const char *
numbers_limit_per_client(void *settings, const char *value)
{
    struct settings *s = settings;

    return set_limit(&s->limits.per_client, value);
}

const char *
numbers_limit_handshakes(void *settings, const char *value)
{
    struct settings *s = settings;

    return set_limit(&s->limits.handshakes, value);
}

const char *
numbers_limit_http(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_number(&s->http_connections, 1, 10000, value,
                          "is not a number from 1 to 10000");
}

const char *
numbers_history(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_number(&s->history, 0, HISTORY_MAX, value,
                          "is not a number from 0 to 1000000");
}
