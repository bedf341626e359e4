/*
 * options.h - the command line of mapitest
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_OPTIONS_H
#define PROXY_OPTIONS_H

#include "base/options.h"
#include "proxy/settings.h"

/*
 * Fill settings from argv, defaults included.  Strings are argv's own.  With
 * --health, its URL is all there is beside it.
 */
enum options_result
options_parse(struct settings *settings, int argc, char **argv);

#endif
