/*
 * config_reader.h - values of the configuration file, each where it stands
 *
 * What the parts of config.c share.  A place is a value, with what its error
 * would name; places are the stack's, and one's `up` outlives it.  What reads a
 * value returns 0, or -1 with its error logged.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CONFIG_READER_H
#define PROXY_CONFIG_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "proxy/config.h"

struct place {
    const struct place *up; /* NULL: the whole file */
    const char *key;        /* NULL: an element of a list */
    size_t index;
    json_t *value;
    const char *text; /* where it begins, a member with its key */
    const char *body; /* where its value begins */
    int line;         /* of text */
};

/* Reads a value into out: what that is stands where the function does. */
typedef int
config_take(struct config *config, const struct place *place, void *out);

/* A key of an object, and where its value goes. */
struct config_key {
    const char *name;
    config_take *take;
    size_t offset; /* of take's `out` in the object's */
    bool required;
};

/* The place of the whole file: its value, and its text, where comments are
 * blanked out (jsontext.h). */
void place_root(struct place *root, json_t *value, const char *text);

/* The place of a member; false if the object has no such key. */
bool
place_member(const struct place *object, const char *key, struct place *member);

/* The first element of a list that is not empty, and the one after element,
 * which is not the last. */
void place_first(const struct place *list, struct place *element);
void place_next(struct place *element);

/* Log what is wrong with a value: "is empty", for one.  Returns -1. */
int config_fail(const struct config *config, const struct place *place,
                const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same of a string that place has: it is shown, then what is wrong. */
int config_fail_shown(const struct config *config, const struct place *place,
                      const char *wrong);

/* An object: no key but these, each at most once, read in the rows' order. */
int config_take_object(struct config *config, const struct place *place,
                       const struct config_key *keys, size_t count, void *out);

/* The length of a list of 1 to max elements, or -1 with the error logged. */
int config_list_length(struct config *config, const struct place *place,
                       size_t max);

/* Each element of such a list, by take with the same out. */
int config_take_list(struct config *config, const struct place *place,
                     size_t max, config_take *take, void *out);

/* A number, whole or not, from min to max. */
int config_take_number(struct config *config, const struct place *place,
                       double min, double max, double *out);

/* One of count words; *out becomes its index. */
int config_take_word(struct config *config, const struct place *place,
                     const char *const *words, int count, int *out);

config_take config_take_bool;    /* bool: true or false */
config_take config_take_string;  /* const char *: not empty */
config_take config_take_file;    /* struct operator_file: a path */
config_take config_take_timers;  /* struct timers: what is left out stays */
config_take config_take_limits;  /* struct limits: what is left out stays */
config_take config_take_address; /* struct target: HOST:PORT */
config_take config_take_backend; /* struct target: that, or a path */

/* The same, of which HTTP or a port is to listen; port 0: any. */
config_take config_take_listener;

/* Reads one port (config_port.c); out: struct front, filled with zeros. */
config_take config_take_port;

/* A copy of text that lives as long as the configuration; NULL, with that
 * logged, without memory, which a NULL text says too. */
const char *config_keep(struct config *config, const char *text);

#endif
