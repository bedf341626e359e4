/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/config_reader.h"
#include "proxy/jsontext.h"

#define RESOLVE_SECONDS     30
#define RESOLVE_SECONDS_MAX 86400

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void
config_error(const struct config *config, int line, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (line > 0)
        log_error("%s:%d: %s", config->path, line, text);
    else
        log_error("%s: %s", config->path, text);
}

const char *
config_keep(struct config *config, const char *text)
{
    /* Folders need not be UTF-8. */
    json_t *string = text != NULL ? json_string_nocheck(text) : NULL;

    if (string != NULL && json_array_append_new(config->kept, string) == 0)
        return json_string_value(string);
    log_error("%s: no memory", config->path);
    return NULL;
}

static bool
same_address(const struct target *a, const struct target *b)
{
    struct net_address first, second;

    if (a->port != b->port || a->port == 0)
        return false;
    if (strcasecmp(a->host, b->host) == 0)
        return true;
    return net_numeric(a->host, a->port, &first)
           && net_numeric(b->host, b->port, &second)
           && net_equal(&first, &second);
}

static bool
listed(const struct target *list, size_t count, const struct target *target)
{
    for (size_t i = 0; i < count; i++)
        if (same_address(&list[i], target))
            return true;
    return false;
}

int
config_take_listener(struct config *config, const struct place *place,
                     void *out)
{
    char problem[128] = "";

    if (config_take_address(config, place, out) == -1)
        return -1;
    if (listed(config->http, config->http_count, out))
        snprintf(problem, sizeof problem, "is listened on for HTTP already");
    for (size_t i = 0; i < config->front_count; i++) {
        const struct front *front = &config->fronts[i];

        if (listed(front->listen, front->listen_count, out))
            snprintf(problem, sizeof problem,
                     "is listened on by port \"%s\" already",
                     front->policy.name);
    }
    return *problem == '\0' ? 0 : config_fail_shown(config, place, problem);
}

static int
take_http_listener(struct config *config, const struct place *place, void *out)
{
    (void)out;
    if (config_take_listener(config, place, &config->http[config->http_count])
        == -1)
        return -1;
    config->http_count++;
    return 0;
}

static int
take_http(struct config *config, const struct place *place, void *out)
{
    return config_take_list(config, place, FRONT_LISTEN_MAX, take_http_listener,
                            out);
}

static int
take_resolve(struct config *config, const struct place *place, void *out)
{
    return config_take_number(config, place, 1, RESOLVE_SECONDS_MAX, out);
}

static void
init_files(struct front *front)
{
    front->client_ca.fd = -1;
    for (int i = 0; i < FRONT_CERTIFICATES_MAX; i++)
        front->certificates[i].chain.fd = front->certificates[i].key.fd = -1;
}

static int
take_ports(struct config *config, const struct place *place, void *out)
{
    int count = config_list_length(config, place, CONFIG_FRONTS_MAX);
    struct place port;

    (void)out;
    if (count == -1)
        return -1;
    config->fronts = calloc((size_t)count, sizeof config->fronts[0]);
    if (config->fronts == NULL) {
        log_error("%s: no memory", config->path);
        return -1;
    }
    config->front_count = (size_t)count;
    for (int i = 0; i < count; i++)
        init_files(&config->fronts[i]);
    place_first(place, &port);
    for (int i = 0;;) {
        if (config_take_port(config, &port, &config->fronts[i]) == -1)
            return -1;
        if (++i == count)
            return 0;
        place_next(&port);
    }
}

/* The timers stand first: the ports inherit them. */
static int
take_root(struct config *config, const char *text)
{
    static const struct config_key keys[] = {
        {"timers", config_take_timers, offsetof(struct config, timers), false},
        {"limits", config_take_limits, offsetof(struct config, limits), false},
        {"resolve_every", take_resolve,
         offsetof(struct config, resolve_seconds), false},
        {"http", take_http, 0, false},
        {"ports", take_ports, 0, true},
    };
    struct place root;

    place_root(&root, config->root, text);
    return config_take_object(config, &root, keys, COUNT(keys), config);
}

static json_t *
parse_json(const struct config *config, const char *text)
{
    json_error_t error;
    char shown[2 * JSON_ERROR_TEXT_LENGTH];
    json_t *root =
        json_loadb(text, config->length, JSON_REJECT_DUPLICATES, &error);

    if (root == NULL) {
        log_escape(shown, sizeof shown, error.text, strlen(error.text));
        config_error(config, error.line > 0 ? error.line : 1, "%s",
                     *shown != '\0' ? shown : "no memory");
    }
    return root;
}

static char *
folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    int length = slash != NULL ? (int)(slash - path) : 0;
    char *folder = NULL;
    char *here;

    if (*path == '/')
        return strndup(path, (size_t)length);
    here = getcwd(NULL, 0);
    if (here != NULL
        && asprintf(&folder, "%s%s%.*s", here, slash != NULL ? "/" : "", length,
                    path)
               == -1)
        folder = NULL;
    free(here);
    return folder;
}

/* Everything that can fail for lack of memory alone. */
static struct config *
new_config(const char *path, const char *text, size_t length,
           const struct settings *settings)
{
    struct config *config = calloc(1, sizeof *config);

    if (config == NULL)
        return NULL;
    config->path = strdup(path);
    config->folder = folder_of(path);
    config->text = malloc(length + 1);
    config->kept = json_array();
    if (config->path == NULL || config->folder == NULL || config->text == NULL
        || config->kept == NULL) {
        config_free(config);
        return NULL;
    }
    if (length > 0)
        memcpy(config->text, text, length);
    config->text[length] = '\0';
    config->length = length;
    config->timers = settings->timers;
    config->table_groups = settings->tester ? settings->groups : 0;
    config->resolve_seconds = RESOLVE_SECONDS;
    return config;
}

struct config *
config_parse(const char *path, const char *text, size_t length,
             const struct settings *settings)
{
    struct config *config = NULL;
    char *blanked = NULL;
    int result = -1;
    int flaw;

    if (length > CONFIG_BYTES_MAX) {
        log_error("%s: is longer than %d bytes", path, CONFIG_BYTES_MAX);
        return NULL;
    }
    config = new_config(path, text, length, settings);
    if (config != NULL)
        blanked = malloc(length + 1);
    if (blanked == NULL) {
        log_errno("%s", path);
        goto done;
    }
    flaw = jsontext_flaw(config->text, length);
    if (flaw > 0) {
        config_error(config, flaw, "is not UTF-8, or has a NUL in it");
        goto done;
    }
    memcpy(blanked, config->text, length + 1);
    jsontext_blank_comments(blanked, length);
    config->root = parse_json(config, blanked);
    if (config->root != NULL)
        result = take_root(config, blanked);

done:
    free(blanked);
    if (result == -1) {
        config_free(config);
        config = NULL;
    }
    return config;
}

/* The file into room bytes; its length, or -1 with the error logged. */
static ssize_t
read_file(const char *path, char *out, size_t room)
{
    /* Not to wait for the writer of a FIFO, which is refused anyway. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    size_t used = 0;
    ssize_t n = fd == -1 ? -1 : fstat(fd, &info);

    if (n == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
        log_error("%s: is not a regular file", path);
        net_close(&fd);
        return -1;
    }
    while (n != -1 && used < room) {
        n = read(fd, out + used, room - used);
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    if (n == -1)
        log_errno("%s", path);
    net_close(&fd);
    return n == -1 ? -1 : (ssize_t)used;
}

struct config *
config_read(const char *path, const struct settings *settings)
{
    size_t room = CONFIG_BYTES_MAX + 1; /* tells what is too long */
    char *text = malloc(room);
    struct config *config = NULL;
    ssize_t length;

    if (text == NULL) {
        log_errno("%s", path);
        return NULL;
    }
    length = read_file(path, text, room);
    if (length != -1)
        config = config_parse(path, text, (size_t)length, settings);
    free(text);
    return config;
}

void
config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->front_count; i++) {
        struct front *front = &config->fronts[i];

        net_close(&front->client_ca.fd);
        for (int k = 0; k < FRONT_CERTIFICATES_MAX; k++) {
            net_close(&front->certificates[k].chain.fd);
            net_close(&front->certificates[k].key.fd);
        }
    }
    free(config->fronts);
    json_decref(config->kept);
    json_decref(config->root);
    free(config->text);
    free(config->folder);
    free(config->path);
    free(config);
}
