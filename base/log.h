/*
 * log.h - one line per message on standard error
 *
 * Every process of a program writes its own lines.  A line goes out by one
 * write() of at most PIPE_BUF bytes, so that lines do not mix, and is dropped
 * rather than waited for when nobody reads the other end of the pipe: a log
 * must never stop a relay.  The next line that gets through says how many were
 * lost.
 *
 * Nothing that a peer sent may reach a line unescaped: format it by
 * log_escape().  As a last defence, control characters in a finished line are
 * replaced.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
enum log_format {
    LOG_TEXT,
    LOG_JSON,
    LOG_JOURNAL, /* text with a priority in front, as sd-daemon(3) has it */
    LOG_FORMATS
};

/* By number: "text", "json", "journal". */
extern const char *const log_format_names[LOG_FORMATS];

/*
 * The format for who asked for none: LOG_JOURNAL if standard error is a stream
 * to systemd's journal (systemd.exec(5), $JOURNAL_STREAM), else LOG_TEXT.
 */
enum log_format log_default_format(void);

/*
 * Set the program's name (kept, not copied), the format, and the last level
 * that is written.  Before the call: "mapitest", text, LOG_INFO.
 */
void
log_setup(const char *program, enum log_format format, enum log_level most);

/*
 * In the journal's form lines do not bear the program's name, since the journal
 * shows it; after this call they do.  For a program that another one started,
 * whose name it would be.
 */
void log_show_program(void);

/* True if messages of this level are written at all. */
bool log_wants(enum log_level level);

/* True if lines are JSON: the fields of log_record() will be seen. */
bool log_has_fields(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As log_error(), followed by ": " and the text of errno. */
void log_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As log_error(), followed by ": " and the reasons in this thread's OpenSSL
 * error queue, which is emptied. */
void log_tls(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The text of this process's last log_error(), log_errno() or log_tls(), cut to
 * under 1 KiB, "" if there was none: UTF-8 without control characters.  Valid
 * until the next one.
 */
const char *log_last_error(void);

/* Copy a text to out, cut between two characters of UTF-8 if room, which is not
 * 0, is too small for it and its NUL. */
void log_cut(char *out, size_t room, const char *text);

/*
 * A message that has fields of its own: text is the line in text format; with
 * LOG_JSON the line is the object fields, with "time", "level" and "message"
 * (text) added.  Steals the reference to fields, which may be NULL.
 */
void log_record(enum log_level level, const char *text, json_t *fields);

/*
 * Write bytes to out as printable ASCII with \xHH, \\ and \" escapes, ended by
 * NUL, with "..." at the end if room is too small.  Returns out.
 */
char *log_escape(char *out, size_t room, const void *bytes, size_t length);

#endif
