/* SPDX-License-Identifier: MPL-2.0 */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* One write of at most this many bytes to a pipe is atomic, and does not block
 * once poll() says that the pipe is writable (pipe(7)). */
#define LINE_MAX_BYTES PIPE_BUF

static const char *const level_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARNING] = "warning",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

/* systemd.journal-fields(7): PRIORITY; they are those of syslog(3). */
static const char *const priorities[] = {
    [LOG_ERROR] = "<3>",
    [LOG_WARNING] = "<4>",
    [LOG_INFO] = "<6>",
    [LOG_DEBUG] = "<7>",
};

const char *const log_format_names[LOG_FORMATS] = {
    [LOG_TEXT] = "text",
    [LOG_JSON] = "json",
    [LOG_JOURNAL] = "journal",
};

static struct {
    const char *program;
    enum log_format format;
    enum log_level most;
    bool show_program;
    unsigned long lost; /* lines dropped since the last that got through */
    char last_error[1024];
} state = {.program = "mapitest", .most = LOG_INFO};

void
log_setup(const char *program, enum log_format format, enum log_level most)
{
    state.program = program;
    state.format = format;
    state.most = most;
}

enum log_format
log_default_format(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char text[64];

    if (stream == NULL || fstat(STDERR_FILENO, &status) == -1)
        return LOG_TEXT;
    snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)status.st_dev,
             (uintmax_t)status.st_ino);
    return strcmp(stream, text) == 0 ? LOG_JOURNAL : LOG_TEXT;
}

void
log_show_program(void)
{
    state.show_program = true;
}

bool
log_wants(enum log_level level)
{
    return level <= state.most;
}

bool
log_has_fields(void)
{
    return state.format == LOG_JSON;
}

/* False if the line would have to be waited for. */
static bool
write_line(const char *line, size_t length)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0)
        return false;
    return write(STDERR_FILENO, line, length) == (ssize_t)length;
}

/* Control characters can rewrite a terminal or fake a line: none gets out. */
static void
neutralise(char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
}

/* Tell how many lines nobody read, if some can be read now. */
static void
confess(void)
{
    static const char *const forms[LOG_FORMATS] = {
        [LOG_TEXT] = "warning: %lu log lines lost: nobody read them\n",
        [LOG_JSON] = ("{\"level\": \"warning\", \"message\": "
                      "\"%lu log lines lost: nobody read them\"}\n"),
        [LOG_JOURNAL] = "<4>warning: %lu log lines lost: nobody read them\n",
    };
    char notice[128];
    int n = snprintf(notice, sizeof notice, forms[state.format], state.lost);

    if (write_line(notice, (size_t)n))
        state.lost = 0;
}

static void
emit(const char *text, size_t length)
{
    char line[LINE_MAX_BYTES];

    if (length > sizeof line - 1)
        length = sizeof line - 1;
    memcpy(line, text, length);
    neutralise(line, length);
    line[length] = '\n';

    if (state.lost > 0)
        confess();
    if (!write_line(line, length + 1))
        state.lost++;
}

static void
time_text(char out[40])
{
    struct timeval now;
    struct tm utc;
    size_t n;

    gettimeofday(&now, NULL);
    gmtime_r(&now.tv_sec, &utc);
    n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + n, 40 - n, ".%03ldZ", (long)(now.tv_usec / 1000));
}

/* A text as it is, or escaped if it is no UTF-8, which JSON has to be. */
static json_t *
text_json(const char *text)
{
    char escaped[LINE_MAX_BYTES];
    json_t *json = json_string(text);

    if (json == NULL)
        json = json_string(
            log_escape(escaped, sizeof escaped, text, strlen(text)));
    return json;
}

/* The longest string in an object and the objects in it; NULL: none. */
static json_t *
longest_string(json_t *object)
{
    json_t *longest = NULL;
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        json_t *found = json_is_object(value) ? longest_string(value) : value;

        if (json_is_string(found)
            && json_string_length(found) > json_string_length(longest))
            longest = found;
    }
    return longest;
}

/* Cut the longest string to half; false if there is nothing left to gain. */
static bool
shorten(json_t *fields)
{
    static const char cut[] = "...";
    json_t *longest = longest_string(fields);
    const char *all = json_string_value(longest);
    size_t length = json_string_length(longest) / 2;
    char text[LINE_MAX_BYTES];

    if (length <= sizeof cut)
        return false;
    if (length > sizeof text - sizeof cut)
        length = sizeof text - sizeof cut;
    while ((all[length] & 0xc0) == 0x80)
        length--; /* never within a character */
    memcpy(text, all, length);
    memcpy(text + length, cut, sizeof cut);
    return json_string_set(longest, text) == 0;
}

/*
 * A line cut at its end would be no JSON any more, and whoever picks the
 * longest names would keep records out of the log: the texts give way.
 */
static char *
dump_to_fit(json_t *fields)
{
    char *line = json_dumps(fields, JSON_COMPACT | JSON_ENSURE_ASCII);

    while (line != NULL && strlen(line) >= LINE_MAX_BYTES && shorten(fields)) {
        free(line);
        line = json_dumps(fields, JSON_COMPACT | JSON_ENSURE_ASCII);
    }
    return line;
}

/* Steals the reference to fields. */
static void
emit_json(enum log_level level, const char *text, json_t *fields)
{
    char now[40];
    char *line;

    time_text(now);
    if (fields == NULL)
        fields = json_object();
    json_object_set_new(fields, "time", json_string(now));
    json_object_set_new(fields, "level", json_string(level_names[level]));
    json_object_set_new(fields, "program", json_string(state.program));
    json_object_set_new(fields, "message", text_json(text));
    line = dump_to_fit(fields);
    if (line != NULL)
        emit(line, strlen(line));
    free(line);
    json_decref(fields);
}

static void
emit_text(enum log_level level, const char *text)
{
    bool journal = state.format == LOG_JOURNAL;
    bool named = !journal || state.show_program;
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof line, "%s%s%s%s%s%s",
                     journal ? priorities[level] : "",
                     named ? state.program : "", named ? ": " : "",
                     level <= LOG_WARNING ? level_names[level] : "",
                     level <= LOG_WARNING ? ": " : "", text);

    emit(line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

void
log_record(enum log_level level, const char *text, json_t *fields)
{
    int saved = errno;

    if (log_wants(level) && state.format == LOG_JSON) {
        emit_json(level, text, fields);
    } else {
        json_decref(fields);
        if (log_wants(level))
            emit_text(level, text);
    }
    errno = saved;
}

void
log_cut(char *out, size_t room, const char *text)
{
    size_t length = strlen(text);

    if (length >= room) {
        length = room - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(out, text, length);
    out[length] = '\0';
}

/* Keep a text for log_last_error(). */
static void
remember(const char *text)
{
    log_cut(state.last_error, sizeof state.last_error, text);
    neutralise(state.last_error, strlen(state.last_error));
}

const char *
log_last_error(void)
{
    json_t *json = json_string(state.last_error);
    char copy[sizeof state.last_error];

    if (json == NULL) { /* no UTF-8 */
        memcpy(copy, state.last_error, sizeof copy);
        log_escape(state.last_error, sizeof state.last_error, copy,
                   strlen(copy));
    }
    json_decref(json);
    return state.last_error;
}

static void
log_va(enum log_level level, const char *format, va_list args)
{
    char text[LINE_MAX_BYTES];
    int saved = errno;

    if (!log_wants(level))
        return;
    vsnprintf(text, sizeof text, format, args);
    if (level == LOG_ERROR)
        remember(text);
    log_record(level, text, NULL);
    errno = saved;
}

#define LOG_AT(level)                                                          \
    do {                                                                       \
        va_list args;                                                          \
        va_start(args, format);                                                \
        log_va(level, format, args);                                           \
        va_end(args);                                                          \
    } while (0)

void
log_error(const char *format, ...)
{
    LOG_AT(LOG_ERROR);
}

void
log_warning(const char *format, ...)
{
    LOG_AT(LOG_WARNING);
}

void
log_info(const char *format, ...)
{
    LOG_AT(LOG_INFO);
}

void
log_debug(const char *format, ...)
{
    LOG_AT(LOG_DEBUG);
}

void
log_errno(const char *format, ...)
{
    char text[1024];
    int error = errno;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_error("%s: %s", text, strerror(error));
    errno = error;
}

void
log_tls(const char *format, ...)
{
    char text[1024];
    char reasons[1024] = "";
    size_t used = 0;
    unsigned long e;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    while ((e = ERR_get_error()) != 0) {
        const char *reason = ERR_reason_error_string(e);
        int n = snprintf(reasons + used, sizeof reasons - used, ": %s",
                         reason != NULL ? reason : "unknown OpenSSL error");

        if (n > 0 && used + (size_t)n < sizeof reasons)
            used += (size_t)n;
    }
    log_error("%s%s", text, reasons);
}

/* The escaped form of one byte; returns its length, at most 4. */
static size_t
escape_byte(char out[5], uint8_t byte)
{
    const char *form = "\\x%02x";

    if (byte == '\\' || byte == '"')
        form = "\\%c";
    else if (byte >= 0x20 && byte < 0x7f)
        form = "%c";
    return (size_t)snprintf(out, 5, form, byte);
}

char *
log_escape(char *out, size_t room, const void *bytes, size_t length)
{
    static const char cut[] = "...";
    const uint8_t *in = bytes;
    size_t total = 0;
    size_t used = 0;
    size_t most;
    char piece[5];

    for (size_t i = 0; i < length; i++)
        total += escape_byte(piece, in[i]);
    if (room == 0)
        return out;
    most = total < room ? total : room < sizeof cut ? 0 : room - sizeof cut;
    for (size_t i = 0; i < length; i++) {
        size_t n = escape_byte(piece, in[i]);

        if (used + n > most)
            break;
        memcpy(out + used, piece, n);
        used += n;
    }
    if (total >= room && room >= sizeof cut)
        memcpy(out + used, cut, sizeof cut);
    else
        out[used] = '\0';
    return out;
}
