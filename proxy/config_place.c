/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/config_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "proxy/jsontext.h"

#define NAME_CHARACTERS                                                        \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

#define PATH_ROOM 512 /* the file has few levels, and shown keys are cut */

void
place_root(struct place *root, json_t *value, const char *text)
{
    const char *begin = text + strspn(text, " \t\r\n");

    *root = (struct place){
        .value = value,
        .text = begin,
        .body = begin,
        .line = 1 + jsontext_lines(text, begin),
    };
}

bool
place_member(const struct place *object, const char *key, struct place *member)
{
    json_t *value = json_object_get(object->value, key);
    const char *at, *name;
    json_t *each;

    if (value == NULL)
        return false;
    /* In the order of the text, which jansson keeps. */
    at = jsontext_first(object->body);
    json_object_foreach(object->value, name, each)
    {
        if (strcmp(name, key) == 0)
            break;
        at = jsontext_next(at);
    }
    *member = (struct place){
        .up = object,
        .key = name,
        .value = value,
        .text = at,
        .body = jsontext_value(at),
        .line = object->line + jsontext_lines(object->text, at),
    };
    return true;
}

void
place_first(const struct place *list, struct place *element)
{
    const char *at = jsontext_first(list->body);

    *element = (struct place){
        .up = list,
        .value = json_array_get(list->value, 0),
        .text = at,
        .body = at,
        .line = list->line + jsontext_lines(list->text, at),
    };
}

void
place_next(struct place *element)
{
    const char *at = jsontext_next(element->body);

    element->line += jsontext_lines(element->text, at);
    element->text = element->body = at;
    element->value = json_array_get(element->up->value, ++element->index);
}

/* "ports[0].listen[1]"; a key that is not of the usual form is quoted. */
static void
write_path(FILE *out, const struct place *place)
{
    const char *key = place->key;
    char escaped[64];

    if (place->up == NULL)
        return;
    write_path(out, place->up);
    if (key == NULL) {
        fprintf(out, "[%zu]", place->index);
        return;
    }
    if (place->up->up != NULL)
        fputc('.', out);
    log_escape(escaped, sizeof escaped, key, strlen(key));
    if (*key != '\0' && key[strspn(key, NAME_CHARACTERS)] == '\0')
        fputs(escaped, out);
    else
        fprintf(out, "\"%s\"", escaped);
}

int
config_fail(const struct config *config, const struct place *place,
            const char *format, ...)
{
    char path[PATH_ROOM] = "";
    char wrong[512];
    FILE *out = fmemopen(path, sizeof path - 1, "w");
    va_list args;

    if (out != NULL) {
        write_path(out, place);
        fclose(out);
    }
    va_start(args, format);
    vsnprintf(wrong, sizeof wrong, format, args);
    va_end(args);
    config_error(config, place->line, "%s%s%s", path, *path != '\0' ? ": " : "",
                 wrong);
    return -1;
}

int
config_fail_shown(const struct config *config, const struct place *place,
                  const char *wrong)
{
    char shown[128];
    const char *text = json_string_value(place->value);

    log_escape(shown, sizeof shown, text, strlen(text));
    return config_fail(config, place, "'%s': %s", shown, wrong);
}
