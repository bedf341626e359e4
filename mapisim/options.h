/*
 * options.h - the command line of mapisim
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef MAPISIM_OPTIONS_H
#define MAPISIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/options.h"
#include "mapisim/session.h"

#define OPTIONS_LIST_MAX 16

/* Strings are argv's own. */
struct options {
    const char *listen[OPTIONS_LIST_MAX]; /* HOST:PORT */
    size_t listen_count;
    int listen_fds[OPTIONS_LIST_MAX]; /* sockets inherited from the parent */
    size_t listen_fd_count;
    int until_eof; /* descriptor whose end of file ends us; -1: none */
    int verbose;
    bool no_sandbox;
    enum log_format log_format;
    struct session_config session;
};

/* Fill options from argv, defaults included. */
enum options_result
mapisim_options(struct options *options, int argc, char **argv);

#endif
