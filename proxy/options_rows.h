/*
 * options_rows.h - the options of mapitest, row by row; a part of options.c
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_OPTIONS_ROWS_H
#define PROXY_OPTIONS_ROWS_H

#include <stddef.h>

#include "base/options.h"

/* Each sets fields of a struct settings. */
extern const struct option_row options_rows[];
extern const size_t options_rows_count;

/* Take an argument that is no option; see struct command_line. */
const char *options_operand(void *settings, const char *value);

#endif
