/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/config_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX (366 * 24 * 3600) /* longer than any timer's sense */
#define LIMIT_MAX   1000000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct config_key *
find_key(const struct config_key *keys, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static int
check_keys(struct config *config, const struct place *place,
           const struct config_key *keys, size_t count)
{
    struct place member;
    const char *name;
    json_t *value;

    if (!json_is_object(place->value))
        return config_fail(config, place, "is not an object");
    json_object_foreach(place->value, name, value)
    {
        if (find_key(keys, count, name) != NULL)
            continue;
        place_member(place, name, &member);
        return config_fail(config, &member, "is not a known key");
    }
    return 0;
}

int
config_take_object(struct config *config, const struct place *place,
                   const struct config_key *keys, size_t count, void *out)
{
    struct place member;

    if (check_keys(config, place, keys, count) == -1)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (place_member(place, keys[i].name, &member)) {
            if (keys[i].take(config, &member, (char *)out + keys[i].offset)
                == -1)
                return -1;
        } else if (keys[i].required) {
            return config_fail(config, place, "has no \"%s\"", keys[i].name);
        }
    }
    return 0;
}

int
config_list_length(struct config *config, const struct place *place, size_t max)
{
    size_t length = json_array_size(place->value);

    if (!json_is_array(place->value))
        return config_fail(config, place, "is not a list");
    if (length == 0)
        return config_fail(config, place, "is empty");
    if (length > max)
        return config_fail(config, place, "has %zu elements, %zu at most",
                           length, max);
    return (int)length;
}

int
config_take_list(struct config *config, const struct place *place, size_t max,
                 config_take *take, void *out)
{
    int left = config_list_length(config, place, max);
    struct place element;

    if (left == -1)
        return -1;
    place_first(place, &element);
    while (take(config, &element, out) == 0) {
        if (--left == 0)
            return 0;
        place_next(&element);
    }
    return -1;
}

int
config_take_number(struct config *config, const struct place *place, double min,
                   double max, double *out)
{
    double value = json_number_value(place->value);

    if (!json_is_number(place->value))
        return config_fail(config, place, "is not a number");
    if (value < min || value > max)
        return config_fail(config, place, "is not from %.0f to %.0f", min, max);
    *out = value;
    return 0;
}

int
config_take_word(struct config *config, const struct place *place,
                 const char *const *words, int count, int *out)
{
    const char *text = json_string_value(place->value);
    char all[128];
    int used = 0;

    if (text == NULL)
        return config_fail(config, place, "is not a string");
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return 0;
        }
    for (int i = 0; i < count && used < (int)sizeof all; i++)
        used += snprintf(all + used, sizeof all - (size_t)used, "%s%s",
                         i > 0 ? ", " : "is none of ", words[i]);
    return config_fail_shown(config, place, all);
}

int
config_take_bool(struct config *config, const struct place *place, void *out)
{
    if (!json_is_boolean(place->value))
        return config_fail(config, place, "is neither true nor false");
    *(bool *)out = json_is_true(place->value);
    return 0;
}

int
config_take_string(struct config *config, const struct place *place, void *out)
{
    const char *text = json_string_value(place->value);

    if (text == NULL)
        return config_fail(config, place, "is not a string");
    if (*text == '\0')
        return config_fail(config, place, "is empty");
    *(const char **)out = text;
    return 0;
}

int
config_take_file(struct config *config, const struct place *place, void *out)
{
    struct operator_file *file = out;
    char *absolute = NULL;
    const char *path = NULL;

    if (config_take_string(config, place, &path) == -1)
        return -1;
    file->line = place->line;
    file->path = path;
    if (*path == '/')
        return 0;
    if (asprintf(&absolute, "%s/%s", config->folder, path) == -1)
        absolute = NULL;
    file->path = config_keep(config, absolute);
    free(absolute);
    return file->path != NULL ? 0 : -1;
}

static int
take_seconds(struct config *config, const struct place *place, void *out)
{
    return config_take_number(config, place, 0, SECONDS_MAX, out);
}

int
config_take_timers(struct config *config, const struct place *place, void *out)
{
    static const struct config_key keys[] = {
        {"handshake", take_seconds, offsetof(struct timers, handshake), false},
        {"connect", take_seconds, offsetof(struct timers, connect), false},
        {"first_byte", take_seconds, offsetof(struct timers, first_byte),
         false},
        {"idle", take_seconds, offsetof(struct timers, idle), false},
        {"stall", take_seconds, offsetof(struct timers, stall), false},
        {"half_closed", take_seconds, offsetof(struct timers, half_closed),
         false},
        {"keepalive", take_seconds, offsetof(struct timers, keepalive), false},
    };

    return config_take_object(config, place, keys, COUNT(keys), out);
}

static int
take_limit(struct config *config, const struct place *place, void *out)
{
    double value;

    if (!json_is_integer(place->value))
        return config_fail(config, place, "is not a whole number");
    if (config_take_number(config, place, 0, LIMIT_MAX, &value) == -1)
        return -1;
    *(unsigned *)out = (unsigned)value;
    return 0;
}

int
config_take_limits(struct config *config, const struct place *place, void *out)
{
    static const struct config_key keys[] = {
        {"connections", take_limit, offsetof(struct limits, connections),
         false},
        {"connections_per_client", take_limit,
         offsetof(struct limits, per_client), false},
        {"handshakes", take_limit, offsetof(struct limits, handshakes), false},
    };

    return config_take_object(config, place, keys, COUNT(keys), out);
}

/* By one of target.h's two functions. */
static int
take_target(struct config *config, const struct place *place, void *out,
            const char *(*parse)(struct target *, const char *))
{
    const char *problem;
    const char *text = NULL;

    if (config_take_string(config, place, &text) == -1)
        return -1;
    problem = parse(out, text);
    return problem == NULL ? 0 : config_fail_shown(config, place, problem);
}

int
config_take_address(struct config *config, const struct place *place, void *out)
{
    return take_target(config, place, out, target_parse);
}

int
config_take_backend(struct config *config, const struct place *place, void *out)
{
    return take_target(config, place, out, target_parse_backend);
}
