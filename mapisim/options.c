/* SPDX-License-Identifier: MPL-2.0 */
#include "mapisim/options.h"

#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mapisim/message.h"

#define DEFAULT_LISTEN "127.0.0.1:50000"
#define DEFAULT_NAME   "mapisim"

/* Behind a proxy these two are last resorts: the proxy has timers of its own,
 * may connect before its client's handshake is over, and ends first. */
#define HEADER_SECONDS         60
#define LOGIN_SECONDS_IN_PROXY 60
#define LOGIN_SECONDS          30
#define LOGIN_SECONDS_MAX      86400

/* Why a value was not taken: a sentence fragment, or NULL if it was. */
typedef const char *set_option(struct options *, const char *value);

static const char *
set_listen(struct options *o, const char *value)
{
    char host[NET_HOST_MAX];
    uint16_t port;

    if (o->listen_count == OPTIONS_LIST_MAX)
        return "is one too many";
    o->listen[o->listen_count++] = value;
    return net_split(value, host, &port);
}

static const char *
set_descriptor(int *fd, const char *value)
{
    char *end;
    long number = strtol(value, &end, 10);

    if (*value < '0' || *value > '9' || *end != '\0' || number > INT_MAX)
        return "is not the number of a descriptor";
    *fd = (int)number;
    return NULL;
}

static const char *
set_listen_fd(struct options *o, const char *value)
{
    if (o->listen_fd_count == OPTIONS_LIST_MAX)
        return "is one too many";
    return set_descriptor(&o->listen_fds[o->listen_fd_count++], value);
}

static const char *
set_until_eof(struct options *o, const char *value)
{
    return set_descriptor(&o->until_eof, value);
}

static const char *
set_proxy_protocol(struct options *o, const char *value)
{
    (void)value;
    o->session.proxy_protocol = true;
    return NULL;
}

static const char *
set_reply(struct options *o, const char *value)
{
    o->session.reply = value;
    return strlen(value) <= SESSION_REPLY_MAX ? NULL
                                              : "is longer than 4096 bytes";
}

static const char *
set_name(struct options *o, const char *value)
{
    o->session.name = value;
    return strlen(value) < MESSAGE_NAME_MAX ? NULL : "is longer than 127 bytes";
}

static const char *
set_login_timeout(struct options *o, const char *value)
{
    char *end;
    double seconds = strtod(value, &end);

    if (end == value || *end != '\0' || !isfinite(seconds) || seconds <= 0
        || seconds > LOGIN_SECONDS_MAX)
        return "is not a number of seconds above 0, at most a day";
    o->session.login_seconds = seconds;
    return NULL;
}

static const char *
set_log_format(struct options *o, const char *value)
{
    if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
        return "is neither text nor json";
    o->log_format = *value == 'j' ? LOG_JSON : LOG_TEXT;
    return NULL;
}

static const char *
set_verbose(struct options *o, const char *value)
{
    (void)value;
    o->verbose++;
    return NULL;
}

/* All options, in the order of --help; without `set` it is answered at once. */
static const struct option_row {
    int letter; /* 0: long form only */
    const char *name;
    const char *argument; /* NULL: takes none */
    set_option *set;
    const char *help;
} rows[] = {
    {'l', "listen", "HOST:PORT", set_listen,
     "listen there; port 0 = any, no host = all\n"
     "addresses; repeatable (" DEFAULT_LISTEN ")"},
    {0, "proxy-protocol", NULL, set_proxy_protocol,
     "every connection begins with a PROXY header,\nversion 2"},
    {0, "reply", "TEXT", set_reply, "last message to every client"},
    {0, "name", "NAME", set_name,
     "name of the port in the usual last message\n(" DEFAULT_NAME ")"},
    {0, "login-timeout", "SECONDS", set_login_timeout,
     "longest wait for the client's response\n"
     "(30; 60 with --proxy-protocol)"},
    {0, "listen-fd", "N", set_listen_fd,
     "accept from the inherited listening socket N;\nrepeatable"},
    {0, "until-eof", "N", set_until_eof,
     "stop when the inherited descriptor N is at its\n"
     "end of file, and ignore SIGINT and SIGTERM"},
    {0, "log-format", "text|json", set_log_format, "form of the log (text)"},
    {'v', "verbose", NULL, set_verbose, "log every session"},
    {'V', "version", NULL, NULL, "print the version"},
    {'h', "help", NULL, NULL, "print this"},
};
enum { ROWS = sizeof rows / sizeof rows[0], LETTERS_MAX = 2 * ROWS + 2 };

static void
print_help(void)
{
    static const int width = 33;

    puts("Usage: mapisim [OPTION]...\n"
         "A MonetDB as far as the login: sends a challenge, reads the response"
         " and\nanswers with a last message.\n");
    for (int i = 0; i < ROWS; i++) {
        const char *help = rows[i].help;
        const char *argument = rows[i].argument;
        char letter[] = {'-', (char)rows[i].letter, ',', '\0'};

        printf("  %-3s --%s %-*s", rows[i].letter != 0 ? letter : "",
               rows[i].name, width - 9 - (int)strlen(rows[i].name),
               argument != NULL ? argument : "");
        for (; strchr(help, '\n') != NULL; help = strchr(help, '\n') + 1)
            printf("%.*s\n%*s", (int)strcspn(help, "\n"), help, width, "");
        puts(help);
    }
}

/* The tables that getopt_long() wants, made from ours. */
static void
make_getopt_tables(char letters[LETTERS_MAX], struct option longs[ROWS + 1])
{
    *letters++ = ':'; /* tell a missing argument from an unknown option */
    for (int i = 0; i < ROWS; i++) {
        longs[i] = (struct option){
            .name = rows[i].name,
            .has_arg = rows[i].argument != NULL,
            .val = UCHAR_MAX + 1 + i,
        };
        if (rows[i].letter != 0)
            *letters++ = (char)rows[i].letter;
        if (rows[i].letter != 0 && rows[i].argument != NULL)
            *letters++ = ':';
    }
    *letters = '\0';
    longs[ROWS] = (struct option){0};
}

/* The row of what getopt_long() returned, a letter or a number of ours. */
static const struct option_row *
find_row(int found)
{
    if (found > UCHAR_MAX)
        return &rows[found - UCHAR_MAX - 1];
    for (int i = 0; i < ROWS; i++)
        if (rows[i].letter == found)
            return &rows[i];
    return NULL;
}

static enum options_result
usage(const char *what, const char *why)
{
    fprintf(stderr, "mapisim: %s %s (see mapisim --help)\n", what, why);
    return OPTIONS_USAGE;
}

static enum options_result
answer(const struct option_row *row)
{
    if (row->letter == 'h')
        print_help();
    else
        puts("mapisim " MAPITEST_VERSION);
    return OPTIONS_DONE;
}

static void
set_defaults(struct options *o)
{
    struct session_config *session = &o->session;

    if (o->listen_count == 0 && o->listen_fd_count == 0)
        o->listen[o->listen_count++] = DEFAULT_LISTEN;
    if (session->name == NULL)
        session->name = DEFAULT_NAME;
    if (session->login_seconds == 0)
        session->login_seconds =
            session->proxy_protocol ? LOGIN_SECONDS_IN_PROXY : LOGIN_SECONDS;
    session->header_seconds = HEADER_SECONDS;
}

/*
 * What getopt_long() complains of.  It steps over an argument only when it is
 * done with it: after "-vx", argv[optind - 1] would be the one before.
 */
static const char *
culprit(char **argv, char out[3])
{
    if (optopt == 0 || optopt > UCHAR_MAX)
        return argv[optind - 1]; /* a long option */
    snprintf(out, 3, "-%c", optopt);
    return out;
}

enum options_result
mapisim_options(struct options *options, int argc, char **argv)
{
    char letters[LETTERS_MAX];
    struct option longs[ROWS + 1];
    int found;

    *options = (struct options){.until_eof = -1};
    make_getopt_tables(letters, longs);
    opterr = 0;
    optind = 0; /* begin anew, should it be called twice */
    while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct option_row *row = find_row(found);
        const char *argument = optarg != NULL ? optarg : "";
        const char *wrong;
        char text[128];

        if (found == ':')
            return usage(culprit(argv, text), "needs an argument");
        if (row == NULL)
            return usage(culprit(argv, text),
                         "is no option, or not a clear one");
        if (row->set == NULL)
            return answer(row);
        wrong = row->set(options, argument);
        snprintf(text, sizeof text, "--%s '%.80s':", row->name, argument);
        if (wrong != NULL)
            return usage(text, wrong);
    }
    if (optind < argc)
        return usage(argv[optind], "is one argument too many");
    set_defaults(options);
    return OPTIONS_RUN;
}
