/* SPDX-License-Identifier: MPL-2.0 */
#include "mapisim/options.h"

#include <limits.h>
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

static const char *
set_listen(void *options, const char *value)
{
    struct options *o = options;
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
set_listen_fd(void *options, const char *value)
{
    struct options *o = options;

    if (o->listen_fd_count == OPTIONS_LIST_MAX)
        return "is one too many";
    return set_descriptor(&o->listen_fds[o->listen_fd_count++], value);
}

static const char *
set_until_eof(void *options, const char *value)
{
    struct options *o = options;

    return set_descriptor(&o->until_eof, value);
}

static const char *
set_proxy_protocol(void *options, const char *value)
{
    struct options *o = options;

    (void)value;
    o->session.proxy_protocol = true;
    return NULL;
}

static const char *
set_reply(void *options, const char *value)
{
    struct options *o = options;

    o->session.reply = value;
    return strlen(value) <= SESSION_REPLY_MAX ? NULL
                                              : "is longer than 4096 bytes";
}

static const char *
set_name(void *options, const char *value)
{
    struct options *o = options;

    o->session.name = value;
    return strlen(value) < MESSAGE_NAME_MAX ? NULL : "is longer than 127 bytes";
}

static const char *
set_login_timeout(void *options, const char *value)
{
    struct options *o = options;
    double seconds;

    if (options_seconds(&seconds, value) != NULL || seconds <= 0
        || seconds > LOGIN_SECONDS_MAX)
        return "is not a number of seconds above 0, at most a day";
    o->session.login_seconds = seconds;
    return NULL;
}

static const char *
set_log_format(void *options, const char *value)
{
    struct options *o = options;

    return options_log_format(&o->log_format, value);
}

static const char *
set_no_sandbox(void *options, const char *value)
{
    struct options *o = options;

    (void)value;
    o->no_sandbox = true;
    return NULL;
}

static const char *
set_verbose(void *options, const char *value)
{
    struct options *o = options;

    (void)value;
    o->verbose++;
    return NULL;
}

static const struct option_row rows[] = {
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
    {0, "no-sandbox", NULL, set_no_sandbox, "keep rights that are not needed"},
    {0, "log-format", "text|json|journal", set_log_format,
     "form of the log (text; journal under systemd)"},
    {'v', "verbose", NULL, set_verbose, "log every session"},
    {'V', "version", NULL, NULL, "print the version"},
    {'h', "help", NULL, NULL, "print this"},
};
_Static_assert(sizeof rows / sizeof rows[0] <= OPTIONS_ROWS_MAX,
               "too many options");

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

enum options_result
mapisim_options(struct options *options, int argc, char **argv)
{
    static const struct command_line line = {
        .program = "mapisim",
        .purpose = "A MonetDB as far as the login: sends a challenge, reads "
                   "the response and\nanswers with a last message.\n",
        .rows = rows,
        .count = sizeof rows / sizeof rows[0],
        .unknown = "is no option, or not a clear one",
        .refused = "--%s '%.80s':",
    };
    enum options_result result;

    *options = (struct options){
        .until_eof = -1,
        .log_format = log_default_format(),
    };
    result = options_read(&line, options, argc, argv);
    if (result == OPTIONS_RUN)
        set_defaults(options);
    return result;
}
