/*
 * parse_line.h - a command line as tests write it
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef UNIT_PARSE_LINE_H
#define UNIT_PARSE_LINE_H

#include <stdio.h>
#include <string.h>

#include "proxy/options.h"

/* Parse a command line, split at blanks, as the program would. */
static inline enum options_result
parse(struct settings *settings, const char *line)
{
    static char copy[512];
    char *argv[32] = {"mapitest"};
    int argc = 1;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    return options_parse(settings, argc, argv);
}

#endif
