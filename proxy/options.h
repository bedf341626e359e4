/*
 * options.h - the command line of mapitest
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_OPTIONS_H
#define PROXY_OPTIONS_H

#include "proxy/settings.h"

enum options_result {
    OPTIONS_RUN,   /* settings are complete */
    OPTIONS_DONE,  /* --help or --version was answered on standard output */
    OPTIONS_USAGE, /* one line on standard error said what is wrong */
};

/*
 * Fill settings from argv, defaults included.  Strings are argv's own.
 */
enum options_result
options_parse(struct settings *settings, int argc, char **argv);

#endif
