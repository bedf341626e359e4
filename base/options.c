/* SPDX-License-Identifier: MPL-2.0 */
#include "base/options.h"

#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of --help before what an option does. */
#define HELP_COLUMN 33

/* What getopt_long() returns for a long option: no character. */
#define FIRST_ROW (UCHAR_MAX + 1)

/* Longer than any timer's sense. */
#define SECONDS_MAX (366 * 24 * 3600.0)

/* The tables that getopt_long() wants, made from ours.  Its number for whether
 * there is an argument is also that of the colons behind a letter. */
struct tables {
    char letters[3 * OPTIONS_ROWS_MAX + 2];
    struct option longs[OPTIONS_ROWS_MAX + 1];
};

static void
print_row(const struct option_row *row)
{
    const char *help = row->help;
    char form[64];

    snprintf(form, sizeof form, "--%s%s%s", row->name,
             row->argument != NULL ? " " : "",
             row->argument != NULL ? row->argument : "");
    if (row->letter != 0)
        printf("  -%c, %-*s", row->letter, HELP_COLUMN - 6, form);
    else
        printf("      %-*s", HELP_COLUMN - 6, form);
    if (strlen(form) > HELP_COLUMN - 7)
        printf("\n%*s", HELP_COLUMN, "");
    for (; strchr(help, '\n') != NULL; help = strchr(help, '\n') + 1)
        printf("%.*s\n%*s", (int)strcspn(help, "\n"), help, HELP_COLUMN, "");
    puts(help);
}

static void
print_help(const struct command_line *line)
{
    printf("Usage: %s [OPTION]...\n%s\n", line->program, line->purpose);
    for (size_t i = 0; i < line->count; i++)
        print_row(&line->rows[i]);
}

static enum options_result
answer(const struct command_line *line, const struct option_row *row)
{
    if (row->letter == 'h')
        print_help(line);
    else
        printf("%s " MAPITEST_VERSION "\n", line->program);
    return OPTIONS_DONE;
}

static int
has_argument(const struct option_row *row)
{
    if (row->argument == NULL)
        return no_argument;
    return *row->argument == '[' ? optional_argument : required_argument;
}

static void
make_tables(const struct command_line *line, struct tables *tables)
{
    char *letters = tables->letters;

    *tables = (struct tables){.letters = ""};
    *letters++ = ':'; /* tell a missing argument from an unknown option */
    for (size_t i = 0; i < line->count; i++) {
        const struct option_row *row = &line->rows[i];

        tables->longs[i] = (struct option){
            .name = row->name,
            .has_arg = has_argument(row),
            .val = FIRST_ROW + (int)i,
        };
        if (row->letter == 0)
            continue;
        *letters++ = (char)row->letter;
        for (int colons = has_argument(row); colons > 0; colons--)
            *letters++ = ':';
    }
}

/* The row of what getopt_long() returned, a letter or a number of ours. */
static const struct option_row *
find_row(const struct command_line *line, int found)
{
    if (found >= FIRST_ROW)
        return &line->rows[found - FIRST_ROW];
    for (size_t i = 0; i < line->count; i++)
        if (line->rows[i].letter == found)
            return &line->rows[i];
    return NULL;
}

/*
 * What getopt_long() complains of.  It steps over an argument only when it is
 * done with it: after "-vx", argv[optind - 1] would be the one before.
 */
static const char *
culprit(char **argv, char out[3])
{
    if (optopt == 0 || optopt >= FIRST_ROW)
        return argv[optind - 1]; /* a long option */
    snprintf(out, 3, "-%c", optopt);
    return out;
}

enum options_result
options_usage(const struct command_line *line, const char *what,
              const char *why)
{
    fprintf(stderr, "%s: %s%s%s (see %s --help)\n", line->program, what,
            *why != '\0' ? " " : "", why, line->program);
    return OPTIONS_USAGE;
}

static enum options_result
read_operands(const struct command_line *line, void *settings, int argc,
              char **argv)
{
    for (; optind < argc; optind++) {
        const char *wrong = line->operand == NULL
                                ? "is one argument too many"
                                : line->operand(settings, argv[optind]);

        if (wrong != NULL)
            return options_usage(line, argv[optind], wrong);
    }
    return OPTIONS_RUN;
}

enum options_result
options_read(const struct command_line *line, void *settings, int argc,
             char **argv)
{
    struct tables tables;
    char text[256];
    int found;

    make_tables(line, &tables);
    opterr = 0;
    optind = 0; /* begin anew, should it be called twice */
    while ((found = getopt_long(argc, argv, tables.letters, tables.longs, NULL))
           != -1) {
        const struct option_row *row = find_row(line, found);
        const char *value = optarg != NULL ? optarg : "";
        const char *wrong;

        if (found == ':')
            return options_usage(line, culprit(argv, text),
                                 "needs an argument");
        if (row == NULL)
            return options_usage(line, culprit(argv, text), line->unknown);
        if (row->set == NULL)
            return answer(line, row);
        wrong = row->set(settings, value);
        if (wrong != NULL) {
            snprintf(text, sizeof text, line->refused, row->name, value);
            return options_usage(line, text, wrong);
        }
    }
    return read_operands(line, settings, argc, argv);
}

const char *
options_seconds(double *seconds, const char *value)
{
    char *end;

    *seconds = strtod(value, &end);
    if (end == value || *end != '\0' || !isfinite(*seconds) || *seconds < 0
        || *seconds > SECONDS_MAX)
        return "is not a number of seconds";
    return NULL;
}

const char *
options_number(unsigned *number, unsigned least, unsigned most,
               const char *value, const char *wrong)
{
    unsigned long found = 0;

    if (*value == '\0')
        return wrong;
    for (const char *at = value; *at != '\0'; at++) {
        if (*at < '0' || *at > '9')
            return wrong;
        found = found * 10 + (unsigned long)(*at - '0');
        if (found > most)
            return wrong;
    }
    if (found < least)
        return wrong;
    *number = (unsigned)found;
    return NULL;
}

const char *
options_log_format(enum log_format *format, const char *value)
{
    for (int i = 0; i < LOG_FORMATS; i++)
        if (strcmp(value, log_format_names[i]) == 0) {
            *format = (enum log_format)i;
            return NULL;
        }
    return "is neither text, json nor journal";
}
