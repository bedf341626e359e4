/* SPDX-License-Identifier: MPL-2.0 */
#include <ev.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/net.h"
#include "base/sandbox.h"
#include "mapisim/options.h"
#include "mapisim/server.h"

#define EXIT_USAGE 2

static int
start(struct server *server, const struct options *options)
{
    for (size_t i = 0; i < options->listen_fd_count; i++)
        if (server_adopt(server, options->listen_fds[i]) == -1)
            return -1;
    for (size_t i = 0; i < options->listen_count; i++)
        if (server_listen(server, options->listen[i]) == -1)
            return -1;
    if (options->until_eof != -1)
        return server_follow(server, options->until_eof);
    server_follow_signals(server);
    return 0;
}

int
main(int argc, char **argv)
{
    struct options options;
    struct server server;
    struct ev_loop *loop;
    int status = EXIT_FAILURE;

    if (net_guard_standard() == -1)
        return EXIT_FAILURE;
    switch (mapisim_options(&options, argc, argv)) {
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_USAGE:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    /* Under a supervisor our comings and goings are its own to tell. */
    log_setup("mapisim", options.log_format,
              options.verbose > 0       ? LOG_DEBUG
              : options.until_eof != -1 ? LOG_WARNING
                                        : LOG_INFO);
    if (options.until_eof != -1)
        log_show_program();
    signal(SIGPIPE, SIG_IGN);
    sandbox_forbid_dumps();
    if (!options.no_sandbox)
        sandbox_begin();
    if (net_raise_limit() == -1)
        log_errno("cannot raise the limit of open files");
    loop = ev_loop_new(EVFLAG_AUTO);
    if (loop == NULL) {
        log_error("cannot make an event loop");
        return EXIT_FAILURE;
    }
    server_init(&server, loop, &options.session);
    if (start(&server, &options) == 0
        && sandbox_enter(SANDBOX_SIMULATOR, NULL) != -1) {
        server_run(&server);
        status = EXIT_SUCCESS;
    }
    server_close(&server);
    ev_loop_destroy(loop);
    return status;
}
