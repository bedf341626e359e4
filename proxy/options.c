/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/ports.h"

#define LEAF_HALF_LIFE (7 * 24 * 3600.0) /* leaves live 14 days */

/* Why a value was not taken: a sentence fragment, or NULL if it was. */
typedef const char *set_option(struct settings *, const char *value);

static const char *
set_base_port(struct settings *s, const char *value)
{
    s->serve = true;
    return net_parse_port(value, &s->base_port)
               ? NULL
               : "is not a port number from 0 to 65535";
}

static const char *
set_write(struct settings *s, const char *value)
{
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
set_listen(struct settings *s, const char *value)
{
    return append(s->listen, &s->listen_count, value);
}

static const char *
set_hostname(struct settings *s, const char *value)
{
    return append(s->hostnames, &s->hostname_count, value);
}

static const char *
set_sequential(struct settings *s, const char *value)
{
    (void)value;
    s->sequential = true;
    return NULL;
}

static const char *
set_groups(struct settings *s, const char *value)
{
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
set_advertise(struct settings *s, const char *value)
{
    return net_parse_port(value, &s->advertise_base) && s->advertise_base > 0
               ? NULL
               : "is not a port number from 1 to 65535";
}

static const char *
set_assign(struct settings *s, const char *value)
{
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
set_target(struct target *target, const char *value)
{
    const char *problem;

    if (strchr(value, '/') != NULL)
        return "is a Unix socket: only HOST:PORT is supported";
    problem = net_split(value, target->host, &target->port);
    if (problem != NULL)
        return problem;
    if (*target->host == '\0')
        return "has no host";
    if (target->port == 0)
        return "has port 0";
    target->set = true;
    return NULL;
}

static const char *
set_forward(struct settings *s, const char *value)
{
    char number[8] = "";
    size_t length = strcspn(value, ":");

    if (s->forward.set)
        return "is a second one";
    if (value[length] == ':' && length < sizeof number)
        memcpy(number, value, length);
    if (!net_parse_port(number, &s->forward_port))
        return "is not LOCALPORT:HOST:PORT";
    return set_target(&s->forward, value + length + 1);
}

static const char *
set_backend(struct settings *s, const char *value)
{
    return set_target(&s->backend, value);
}

static const char *
set_workers(struct settings *s, const char *value)
{
    uint16_t number;

    if (!net_parse_port(value, &number) || number < 1 || number > WORKERS_MAX)
        return "is not a number from 1 to 64";
    s->workers = number;
    return NULL;
}

/* Seconds, fractions allowed; a year is longer than any timer's sense. */
static const char *
set_seconds(double *seconds, const char *value)
{
    char *end;

    *seconds = strtod(value, &end);
    if (end == value || *end != '\0' || !isfinite(*seconds) || *seconds < 0
        || *seconds > 366 * 24 * 3600.0)
        return "is not a number of seconds";
    return NULL;
}

static const char *
set_handshake(struct settings *s, const char *value)
{
    return set_seconds(&s->timers.handshake, value);
}

static const char *
set_connect(struct settings *s, const char *value)
{
    return set_seconds(&s->timers.connect, value);
}

static const char *
set_first_byte(struct settings *s, const char *value)
{
    return set_seconds(&s->timers.first_byte, value);
}

static const char *
set_idle(struct settings *s, const char *value)
{
    return set_seconds(&s->timers.idle, value);
}

static const char *
set_stall(struct settings *s, const char *value)
{
    return set_seconds(&s->timers.stall, value);
}

static const char *
set_half_closed(struct settings *s, const char *value)
{
    return set_seconds(&s->timers.half_closed, value);
}

static const char *
set_keepalive(struct settings *s, const char *value)
{
    return set_seconds(&s->timers.keepalive, value);
}

static const char *
set_drain(struct settings *s, const char *value)
{
    return set_seconds(&s->timers.drain, value);
}

static const char *
set_renew(struct settings *s, const char *value)
{
    const char *problem = set_seconds(&s->renew_after, value);

    return problem == NULL && s->renew_after < 1 ? "is less than a second"
                                                 : problem;
}

static const char *
set_log_format(struct settings *s, const char *value)
{
    if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
        return "is neither text nor json";
    s->log_format = *value == 'j' ? LOG_JSON : LOG_TEXT;
    return NULL;
}

static const char *
set_verbose(struct settings *s, const char *value)
{
    (void)value;
    s->verbose++;
    return NULL;
}

enum { OPTION_HELP = 'h', OPTION_VERSION = 'V' };

/* All options, in the order of --help; without `set` it is answered at once. */
static const struct option_row {
    int letter; /* 0: long form only */
    const char *name;
    const char *argument; /* NULL: takes none */
    set_option *set;
    const char *help;
} rows[] = {
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
     "which groups of ports, of: classic (all)"},
    {0, "advertise-base", "PORT", set_advertise,
     "the base port as clients see it"},
    {'a', "assign", "NAME=PORT", set_assign, "force a port; repeatable"},
    {'f', "forward", "LOCALPORT:HOST:PORT", set_forward,
     "port 'forward': TLS, relayed to HOST:PORT"},
    {'b', "backend", "HOST:PORT", set_backend,
     "this MonetDB behind all, not the simulator"},
    {0, "workers", "N", set_workers, "processes that relay (CPUs, at most 4)"},
    {0, "handshake-timeout", "S", set_handshake,
     "seconds from accept to handshake (10)"},
    {0, "connect-timeout", "S", set_connect,
     "seconds to reach a backend's address (10)"},
    {0, "first-byte-timeout", "S", set_first_byte,
     "seconds to the client's first byte (30)"},
    {0, "idle-timeout", "S", set_idle, "seconds without a byte; 0 = off (0)"},
    {0, "stall-timeout", "S", set_stall,
     "seconds in which a client takes no byte (60)"},
    {0, "half-closed-timeout", "S", set_half_closed,
     "seconds for a silent client once the\nbackend has ended its side (60)"},
    {0, "keepalive", "S", set_keepalive,
     "seconds of silence until TCP asks whether\nthe client's host is there; "
     "gone after twice\nthat, or the stall timeout; 0 = off (60)"},
    {0, "drain-timeout", "S", set_drain,
     "seconds for connections at a stop (5)"},
    {0, "renew-after", "S", set_renew,
     "issue the certificates again after S\nseconds (half their lifetime, "
     "7 days)"},
    {0, "log-format", "text|json", set_log_format, "form of the log (text)"},
    {'v', "verbose", NULL, set_verbose, "log more; repeatable"},
    {'V', "version", NULL, NULL, "print the version"},
    {'h', "help", NULL, NULL, "print this"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void
print_help(void)
{
    puts("Usage: mapitest [OPTION]...\n"
         "TLS test ports for MonetDB clients, or a TLS front for a MonetDB.\n"
         "At least one of -p, -w and -f is needed.\n");
    for (int i = 0; i < ROWS; i++) {
        char form[64];
        const char *help = rows[i].help;
        int width = 33;

        snprintf(form, sizeof form, "--%s%s%s", rows[i].name,
                 rows[i].argument != NULL ? " " : "",
                 rows[i].argument != NULL ? rows[i].argument : "");
        if (rows[i].letter != 0)
            printf("  -%c, %-*s", rows[i].letter, width - 6, form);
        else
            printf("      %-*s", width - 6, form);
        if (strlen(form) > (size_t)width - 7)
            printf("\n%*s", width, "");
        while (*help != '\0') {
            int line = (int)strcspn(help, "\n");

            printf("%.*s\n", line, help);
            help += line;
            if (*help == '\n') {
                printf("%*s", width, "");
                help++;
            }
        }
    }
}

static void
set_defaults(struct settings *s)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    *s = (struct settings){
        .groups = (1u << GROUP_COUNT) - 1,
        .workers = cpus < 1   ? 1
                   : cpus > 4 ? 4
                              : (int)cpus,
        .renew_after = LEAF_HALF_LIFE,
        .timers = {.handshake = 10,
                   .connect = 10,
                   .first_byte = 30,
                   .stall = 60,
                   .half_closed = 60,
                   .keepalive = 60,
                   .linger = 2,
                   .drain = 5},
    };
}

/* What single options cannot know of one another. */
static const char *
check_together(struct settings *s)
{
    if (s->forward.set)
        s->serve = true;
    if (!s->serve && s->write_directory == NULL)
        return "nothing to do: at least one of -p, -w and -f is needed";
    if (s->sequential && s->base_port == 0)
        return "--sequential needs a base port other than 0";
    if (s->advertise_base != 0 && !s->sequential)
        return "--advertise-base needs --sequential";
    if (s->forward.set && s->forward_port != 0
        && s->forward_port == s->base_port)
        return "-f cannot listen on the base port";
    if (s->hostname_count == 0)
        s->hostnames[s->hostname_count++] = "localhost.localdomain";
    return NULL;
}

static enum options_result
usage(const char *what, const char *why)
{
    fprintf(stderr, "mapitest: %s%s%s (see mapitest --help)\n", what,
            *why != '\0' ? " " : "", why);
    return OPTIONS_USAGE;
}

/* The tables that getopt_long() wants, made from ours. */
static void
make_getopt_tables(char *letters, struct option *longs)
{
    *letters++ = ':'; /* tell a missing argument from an unknown option */
    for (int i = 0; i < ROWS; i++) {
        longs[i] = (struct option){
            .name = rows[i].name,
            .has_arg = rows[i].argument != NULL,
            .val = 256 + i,
        };
        if (rows[i].letter != 0) {
            *letters++ = (char)rows[i].letter;
            if (rows[i].argument != NULL)
                *letters++ = ':';
        }
    }
    *letters = '\0';
}

static const struct option_row *
find_row(int value)
{
    if (value >= 256)
        return &rows[value - 256];
    for (int i = 0; i < ROWS; i++)
        if (rows[i].letter == value)
            return &rows[i];
    return NULL;
}

/*
 * What getopt_long() complains of.  It steps over an argument only when it is
 * done with it: after "-vx", argv[optind - 1] would be the one before.
 */
static const char *
culprit(char **argv, char out[3])
{
    if (optopt == 0 || optopt >= 256)
        return argv[optind - 1]; /* a long option */
    snprintf(out, 3, "-%c", optopt);
    return out;
}

enum options_result
options_parse(struct settings *settings, int argc, char **argv)
{
    struct option longs[ROWS + 1] = {{0}};
    char letters[2 * ROWS + 2];
    const char *problem;
    int value;

    set_defaults(settings);
    make_getopt_tables(letters, longs);
    opterr = 0;
    optind = 0;
    while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct option_row *row;
        char what[256];

        if (value == '?')
            return usage(culprit(argv, what),
                         "is not an option, or is ambiguous");
        if (value == ':')
            return usage(culprit(argv, what), "needs an argument");
        row = find_row(value);
        if (row->letter == OPTION_HELP) {
            print_help();
            return OPTIONS_DONE;
        }
        if (row->letter == OPTION_VERSION) {
            puts("mapitest " MAPITEST_VERSION);
            return OPTIONS_DONE;
        }
        problem = row->set(settings, optarg);
        snprintf(what, sizeof what, "--%s: '%.200s'", row->name,
                 optarg != NULL ? optarg : "");
        if (problem != NULL)
            return usage(what, problem);
    }
    if (optind < argc)
        return usage(argv[optind], "is one argument too many");
    problem = check_together(settings);
    return problem != NULL ? usage(problem, "") : OPTIONS_RUN;
}
