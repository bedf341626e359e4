/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/options_rows.h"

#include <stdio.h>
#include <string.h>

#include "proxy/numbers.h"
#include "proxy/ports.h"
#include "proxy/settings.h"

static const char *
set_base_port(void *settings, const char *value)
{
    struct settings *s = settings;

    s->serve = s->tester = true;
    return net_parse_port(value, &s->base_port)
               ? NULL
               : "is not a port number from 0 to 65535";
}

static const char *
set_write(void *settings, const char *value)
{
    struct settings *s = settings;

    s->write_directory = value;
    return *value != '\0' ? NULL : "is no directory";
}

static const char *
append(const char **list, size_t *count, const char *value)
{
    if (*value == '\0')
        return "is empty";
    if (*count == SETTINGS_LIST_MAX)
        return "is one too many";
    list[(*count)++] = value;
    return NULL;
}

static const char *
set_listen(void *settings, const char *value)
{
    struct settings *s = settings;

    return append(s->listen, &s->listen_count, value);
}

static const char *
set_hostname(void *settings, const char *value)
{
    struct settings *s = settings;

    return append(s->hostnames, &s->hostname_count, value);
}

static const char *
set_sequential(void *settings, const char *value)
{
    struct settings *s = settings;

    (void)value;
    s->sequential = true;
    return NULL;
}

static const char *
set_groups(void *settings, const char *value)
{
    struct settings *s = settings;

    s->groups = 0;
    while (true) {
        size_t length = strcspn(value, ",");
        unsigned bit = 0;

        for (int i = 0; i < GROUP_COUNT; i++)
            if (strlen(port_group_names[i]) == length
                && strncmp(port_group_names[i], value, length) == 0)
                bit = 1u << i;
        if (bit == 0)
            return "names a group of ports that does not exist";
        s->groups |= bit;
        if (value[length] == '\0')
            return NULL;
        value += length + 1;
    }
}

static const char *
set_advertise(void *settings, const char *value)
{
    struct settings *s = settings;

    return net_parse_port(value, &s->advertise_base) && s->advertise_base > 0
               ? NULL
               : "is not a port number from 1 to 65535";
}

static const char *
set_assign(void *settings, const char *value)
{
    struct settings *s = settings;
    const char *equals = strchr(value, '=');
    struct assignment *a = &s->assignments[s->assignment_count];

    if (s->assignment_count == SETTINGS_LIST_MAX)
        return "is one too many";
    if (equals == NULL || equals == value)
        return "is not NAME=PORT";
    if (!net_parse_port(equals + 1, &a->port) || a->port == 0)
        return "has no port number from 1 to 65535";
    if (strncmp(value, "base=", 5) == 0)
        return "would move the base port: use -p";
    snprintf(a->name, sizeof a->name, "%.*s", (int)(equals - value), value);
    s->assignment_count++;
    return NULL;
}

static const char *
set_forward(void *settings, const char *value)
{
    struct settings *s = settings;
    char number[8] = "";
    size_t length = strcspn(value, ":");

    if (s->forward.set)
        return "is a second one";
    if (value[length] == ':' && length < sizeof number)
        memcpy(number, value, length);
    if (!net_parse_port(number, &s->forward_port))
        return "is not LOCALPORT:HOST:PORT";
    s->serve = s->tester = true;
    return target_parse_backend(&s->forward, value + length + 1);
}

static const char *
set_backend(void *settings, const char *value)
{
    struct settings *s = settings;

    return target_parse_backend(&s->backend, value);
}

/* A path, or a name, that must not be empty. */
static const char *
set_text(const char **text, const char *value)
{
    *text = value;
    return *value != '\0' ? NULL : "is empty";
}

static const char *
set_config(void *settings, const char *value)
{
    struct settings *s = settings;

    s->serve = true;
    return s->config != NULL ? "is a second one" : set_text(&s->config, value);
}

static const char *
set_check(void *settings, const char *value)
{
    struct settings *s = settings;

    (void)value;
    s->check = true;
    return NULL;
}

static const char *
set_state(void *settings, const char *value)
{
    struct settings *s = settings;

    return set_text(&s->state, value);
}

static const char *
set_user(void *settings, const char *value)
{
    struct settings *s = settings;

    return set_text(&s->user, value);
}

static const char *
set_world_readable(void *settings, const char *value)
{
    struct settings *s = settings;

    (void)value;
    s->allow_world_readable_keys = true;
    return NULL;
}

static const char *
set_no_sandbox(void *settings, const char *value)
{
    struct settings *s = settings;

    (void)value;
    s->no_sandbox = true;
    return NULL;
}

static const char *
set_trusted_cert(void *settings, const char *value)
{
    struct settings *s = settings;

    return s->trusted_chain != NULL ? "is a second one"
                                    : set_text(&s->trusted_chain, value);
}

static const char *
set_trusted_key(void *settings, const char *value)
{
    struct settings *s = settings;

    return s->trusted_key != NULL ? "is a second one"
                                  : set_text(&s->trusted_key, value);
}

static const char *
set_records(void *settings, const char *value)
{
    struct settings *s = settings;

    if (strcmp(value, "all") == 0)
        s->records = RECORDS_ALL;
    else if (strcmp(value, "own") == 0)
        s->records = RECORDS_OWN;
    else
        return "is neither all nor own";
    return NULL;
}

static const char *
set_health(void *settings, const char *value)
{
    struct settings *s = settings;

    s->health = true;
    if (*value != '\0')
        s->health_url = value;
    return NULL;
}

const char *
options_operand(void *settings, const char *value)
{
    struct settings *s = settings;

    if (!s->health || s->health_url != NULL)
        return "is one argument too many";
    return set_text(&s->health_url, value);
}

static const char *
set_log_format(void *settings, const char *value)
{
    struct settings *s = settings;

    return options_log_format(&s->log_format, value);
}

static const char *
set_verbose(void *settings, const char *value)
{
    struct settings *s = settings;

    (void)value;
    s->verbose++;
    return NULL;
}

const struct option_row options_rows[] = {
    {'p', "base-port", "PORT", set_base_port,
     "base port, where HTTP is served; 0 = any"},
    {'w', "write", "DIR", set_write, "write all keys and certificates to DIR"},
    {'l', "listen-addr", "ADDR", set_listen,
     "listen on ADDR; repeatable (127.0.0.1 and ::1)"},
    {'n', "hostname", "NAME", set_hostname,
     "host name in the certificates; repeatable\n(localhost.localdomain)"},
    {0, "sequential", NULL, set_sequential,
     "number the ports PORT+1, PORT+2, ..."},
    {0, "ports", "GROUPS", set_groups,
     "which groups of ports, of: classic, hostile,\nchains (all)"},
    {0, "advertise-base", "PORT", set_advertise,
     "the base port as clients see it"},
    {'a', "assign", "NAME=PORT", set_assign, "force a port; repeatable"},
    {'f', "forward", "LOCALPORT:HOST:PORT", set_forward,
     "port 'forward': TLS, relayed to HOST:PORT, or\n"
     "to a Unix socket: LOCALPORT:/PATH"},
    {'b', "backend", "HOST:PORT|PATH", set_backend,
     "this MonetDB behind all, not the simulator"},
    {0, "workers", "N", numbers_workers,
     "processes that relay (CPUs, at most 4)"},
    {0, "handshake-timeout", "S", numbers_handshake,
     "seconds from accept to handshake (10)"},
    {0, "connect-timeout", "S", numbers_connect,
     "seconds to reach a backend's address (10)"},
    {0, "first-byte-timeout", "S", numbers_first_byte,
     "seconds to the client's first byte (30)"},
    {0, "idle-timeout", "S", numbers_idle,
     "seconds without a byte; 0 = off (0)"},
    {0, "stall-timeout", "S", numbers_stall,
     "seconds in which a client takes no byte (60)"},
    {0, "half-closed-timeout", "S", numbers_half_closed,
     "seconds for a silent client once the\nbackend has ended its side (60)"},
    {0, "keepalive", "S", numbers_keepalive,
     "seconds of silence until TCP asks whether\nthe client's host is there; "
     "gone after twice\nthat, or the stall timeout; 0 = off (60)"},
    {0, "silent-timeout", "S", numbers_silence,
     "seconds for which port 'silent' holds a client\n(60)"},
    {0, "drain-timeout", "S", numbers_drain,
     "seconds for connections at a stop (5)"},
    {0, "renew-after", "S", numbers_renew,
     "issue the certificates again after S\nseconds (half their lifetime, "
     "7 days)"},
    {0, "trusted-cert", "FILE", set_trusted_cert,
     "port 'trusted' shows this certificate, which\nclients know, and its "
     "chain"},
    {0, "trusted-key", "FILE", set_trusted_key, "its private key"},
    {0, "config", "FILE", set_config,
     "serve the ports that FILE describes, too"},
    {0, "check", NULL, set_check, "only check the configuration"},
    {0, "state", "DIR", set_state, "keep in DIR what should survive a restart"},
    {0, "user", "NAME", set_user, "serve as this user, when started by root"},
    {0, "allow-world-readable-keys", NULL, set_world_readable,
     "take private keys that everybody may read"},
    {0, "no-sandbox", NULL, set_no_sandbox,
     "leave processes rights that they do not need"},
    {0, "limit-connections", "N", numbers_limit_connections,
     "connections at once, of the test ports, all\ntogether; 0 = any number "
     "(0)"},
    {0, "limit-per-client", "N", numbers_limit_per_client,
     "the same for each client address (0)"},
    {0, "limit-handshakes", "N", numbers_limit_handshakes,
     "the same for unfinished handshakes (0)"},
    {0, "limit-http", "N", numbers_limit_http,
     "HTTP connections at once (256)"},
    {0, "history", "N", numbers_history,
     "how many connections are remembered (10000)"},
    {0, "records", "all|own", set_records,
     "whose records HTTP shows: all clients' or\nthe asking one's (all on "
     "loopback, else own)"},
    {0, "health", "[URL]", set_health,
     "ask the instance there how it is, and exit\n"
     "(http://127.0.0.1:50000/)"},
    {0, "log-format", "text|json|journal", set_log_format,
     "form of the log (text; journal under systemd)"},
    {'v', "verbose", NULL, set_verbose, "log more; repeatable"},
    {'V', "version", NULL, NULL, "print the version"},
    {'h', "help", NULL, NULL, "print this"},
};
const size_t options_rows_count = sizeof options_rows / sizeof options_rows[0];
_Static_assert(sizeof options_rows / sizeof options_rows[0] <= OPTIONS_ROWS_MAX,
               "too many options");
