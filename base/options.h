/*
 * options.h - a command line, as a table of options
 *
 * What a program takes is rows; reading them, --help and the wording of errors
 * are the same for every program.  Long options may be shortened where that is
 * not ambiguous.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stddef.h>

#include "base/log.h"

#define OPTIONS_ROWS_MAX 64

enum options_result {
    OPTIONS_RUN,   /* every argument was taken */
    OPTIONS_DONE,  /* --help or --version was answered on standard output */
    OPTIONS_USAGE, /* one line on standard error said what is wrong */
};

/*
 * Take a value, "" for an option without one, into the program's settings.
 * Returns NULL, or why it was not taken: a sentence fragment.
 */
typedef const char *options_set(void *settings, const char *value);

struct option_row {
    int letter; /* 0: long form only */
    const char *name;
    const char *argument; /* NULL: takes none; "[X]": --NAME or --NAME=X */
    options_set *set;     /* NULL: answered at once, --help by its letter 'h',
                             anything else by the version */
    const char *help;
};

struct command_line {
    const char *program;
    const char *purpose; /* the lines of --help below its first, each ended */
    const struct option_row *rows; /* in the order of --help */
    size_t count;                  /* at most OPTIONS_ROWS_MAX */
    const char *unknown;           /* is what an option is that there is not */
    const char *refused;  /* printf's form of an option's name and value */
    options_set *operand; /* takes what is no option, after all that are;
                             NULL: there must be none */
};

/*
 * Read the arguments into settings, in their order, up to the first that is
 * wrong.  What is kept of them points into argv.
 */
enum options_result options_read(const struct command_line *line,
                                 void *settings, int argc, char **argv);

/* Say on standard error, in the form of all errors, what is wrong and why,
 * which may be "".  Returns OPTIONS_USAGE. */
enum options_result options_usage(const struct command_line *line,
                                  const char *what, const char *why);

/* Values that more than one option has; they return what an options_set does.
 */

/* A number of seconds, fractions allowed, up to a year. */
const char *options_seconds(double *seconds, const char *value);

/* A decimal number within the bounds, and nothing else; wrong is returned for
 * what is none. */
const char *options_number(unsigned *number, unsigned least, unsigned most,
                           const char *value, const char *wrong);

const char *options_log_format(enum log_format *format, const char *value);

#endif
