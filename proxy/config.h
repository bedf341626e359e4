/*
 * config.h - the configuration file: the operator's ports, and limits
 *
 * JSON, with comments from // to the end of the line.  Every error is one line
 * in the log that names file, line and key; nothing unknown is passed over.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CONFIG_H
#define PROXY_CONFIG_H

#include <jansson.h>
#include <stddef.h>

#include "proxy/front.h"
#include "proxy/limits.h"
#include "proxy/settings.h"

#define CONFIG_BYTES_MAX  (1024 * 1024)
#define CONFIG_FRONTS_MAX 128

struct config {
    char *path;
    char *folder; /* where relative paths in it begin; absolute, no last '/' */
    char *text;   /* as it was read, ended by a NUL */
    size_t length;
    json_t *root;
    json_t *kept; /* the strings of fronts that are not in root */
    struct front *fronts;
    size_t front_count;
    struct timers timers;                 /* what fronts leave out */
    struct limits limits;                 /* of all fronts together */
    struct target http[FRONT_LISTEN_MAX]; /* HTTP is served here too */
    size_t http_count;
    unsigned table_groups;  /* of the port table, open beside; as in settings */
    double resolve_seconds; /* between two resolutions of a backend's name */
};

/*
 * Read and check the file, but open none that it names.  Timers that it leaves
 * out are as in the settings.  Returns a configuration that the caller frees,
 * or NULL with the reason logged.
 */
struct config *config_read(const char *path, const struct settings *settings);

/* The same from text, which is copied; errors name path, and relative paths in
 * the text begin in its folder, but it is not opened. */
struct config *config_parse(const char *path, const char *text, size_t length,
                            const struct settings *settings);

/*
 * Log an error at a place that the file names: "PATH:LINE: " and the message;
 * without the line if it is 0.
 */
void config_error(const struct config *config, int line, const char *format,
                  ...) __attribute__((format(printf, 3, 4)));

/* Frees the configuration and closes its files; NULL does nothing. */
void config_free(struct config *config);

#endif
