/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/options.h"

#include <unistd.h>

#include "proxy/options_rows.h"
#include "proxy/ports.h"

#define LEAF_HALF_LIFE   (7 * 24 * 3600.0) /* leaves live 14 days */
#define HTTP_CONNECTIONS 256
#define HISTORY          10000

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
        .http_connections = HTTP_CONNECTIONS,
        .history = HISTORY,
        .log_format = log_default_format(),
        .timers = {.handshake = 10,
                   .connect = 10,
                   .first_byte = 30,
                   .stall = 60,
                   .half_closed = 60,
                   .keepalive = 60,
                   .linger = 2,
                   .silence = 60,
                   .drain = 5},
    };
}

/* What single options cannot know of one another. */
static const char *
check_together(struct settings *s, int argc)
{
    if (s->health) /* and who says more means something else */
        return argc > (s->health_url != NULL ? 3 : 2)
                   ? "--health goes with nothing but one URL"
                   : NULL;
    if (s->check && s->config == NULL)
        return "--check needs --config";
    if (!s->serve && s->write_directory == NULL)
        return "nothing to do: at least one of -p, -w, -f and --config is "
               "needed";
    if (s->sequential && s->base_port == 0)
        return "--sequential needs a base port other than 0";
    if (s->advertise_base != 0 && !s->sequential)
        return "--advertise-base needs --sequential";
    if (s->forward.set && s->forward_port != 0
        && s->forward_port == s->base_port)
        return "-f cannot listen on the base port";
    if ((s->trusted_chain == NULL) != (s->trusted_key == NULL))
        return "--trusted-cert and --trusted-key go together";
    if (s->trusted_chain != NULL && !s->tester)
        return "--trusted-cert needs a base port";
    if (s->trusted_chain != NULL && (s->groups & 1u << GROUP_HOSTILE) == 0)
        return "--trusted-cert needs --ports hostile";
    if (s->hostname_count == 0)
        s->hostnames[s->hostname_count++] = "localhost.localdomain";
    return NULL;
}

enum options_result
options_parse(struct settings *settings, int argc, char **argv)
{
    const struct command_line line = {
        .program = "mapitest",
        .purpose = "TLS test ports for MonetDB clients, or a TLS front for a "
                   "MonetDB.\n"
                   "At least one of -p, -w, -f and --config is needed.\n",
        .rows = options_rows,
        .count = options_rows_count,
        .unknown = "is not an option, or is ambiguous",
        .refused = "--%s: '%.200s'",
        .operand = options_operand,
    };
    enum options_result result;
    const char *problem;

    set_defaults(settings);
    result = options_read(&line, settings, argc, argv);
    if (result != OPTIONS_RUN)
        return result;
    problem = check_together(settings, argc);
    return problem != NULL ? options_usage(&line, problem, "") : OPTIONS_RUN;
}
