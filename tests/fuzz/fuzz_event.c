/*
 * fuzz_event.c - a connection's record in words, in JSON and in a PROXY header
 *
 * Whatever a peer put into its names, a line of the log is one line, printable,
 * and in JSON an object with all of it.
 *
 * On its way to control it stays as it is, and what only resembles a message
 * of events gives none whose texts reach beyond it.
 *
 * Input: the fields of an event one after the other, see make_event().
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proxy2.h"
#include "proxy/journal.h"
#include "proxy/outbox.h"
#include "proxy/ports.h"
#include "proxy/preface.h"
#include "proxy/verdict.h"
#include "tests/fuzz/fuzz.h"

/* Standard error while the log writes to it. */
static struct {
    int file, real;
} caught = {-1, -1};

/* Where a sanitizer reports even then; there only if there is a sanitizer. */
extern void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    caught.file = memfd_create("log", MFD_CLOEXEC);
    caught.real = dup(STDERR_FILENO);
    REQUIRE(caught.file != -1 && caught.real != -1);
    if (__sanitizer_set_report_fd != NULL)
        __sanitizer_set_report_fd((void *)(intptr_t)caught.real);
    return 0;
}

static void
begin_catching(enum log_format format)
{
    log_setup("fuzz", format, LOG_DEBUG);
    REQUIRE(ftruncate(caught.file, 0) == 0);
    REQUIRE(lseek(caught.file, 0, SEEK_SET) == 0);
    REQUIRE(dup2(caught.file, STDERR_FILENO) == STDERR_FILENO);
}

/* The one line that was logged, without its newline, in out. */
static void
end_catching(char *out, size_t room)
{
    ssize_t n;

    REQUIRE(dup2(caught.real, STDERR_FILENO) == STDERR_FILENO);
    n = pread(caught.file, out, room, 0);
    REQUIRE(n > 1 && (size_t)n < room && out[n - 1] == '\n');
    REQUIRE(memchr(out, '\n', (size_t)n) == out + n - 1);
    out[n - 1] = '\0';
    REQUIRE(strlen(out) == (size_t)n - 1);
}

/* The object on the line; its key must have a text. */
static json_t *
load(const char *line, const char *key)
{
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

    REQUIRE(json_is_object(json));
    REQUIRE(json_is_string(json_object_get(json, "time")));
    REQUIRE(json_is_string(json_object_get(json, "level")));
    REQUIRE(json_is_string(json_object_get(json, key)));
    return json;
}

static bool
has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* Undo log_escape(); returns the bytes. */
static size_t
unescape(const char *text, uint8_t *out)
{
    size_t used = 0;

    while (*text != '\0') {
        unsigned value;

        if (*text != '\\') {
            out[used++] = (uint8_t)*text++;
        } else if (text[1] != 'x') {
            out[used++] = (uint8_t)text[1];
            text += 2;
        } else {
            REQUIRE(sscanf(text + 2, "%2x", &value) == 1);
            out[used++] = (uint8_t)value;
            text += 4;
        }
    }
    return used;
}

static void
check_escape(const uint8_t *bytes, size_t length, size_t room)
{
    char *small = malloc(room);
    char *all = malloc(4 * length + 1);
    uint8_t *back = malloc(length + 1);
    size_t used;

    REQUIRE(small != NULL && all != NULL && back != NULL);
    log_escape(all, 4 * length + 1, bytes, length);
    REQUIRE(fuzz_is_printable(all));
    REQUIRE(unescape(all, back) == length);
    REQUIRE(length == 0 || memcmp(back, bytes, length) == 0);

    log_escape(small, room, bytes, length);
    used = strlen(small);
    REQUIRE(used < room && fuzz_is_printable(small));
    if (strlen(all) < room) {
        REQUIRE(strcmp(small, all) == 0);
    } else if (room >= 4) {
        REQUIRE(strcmp(small + used - 3, "...") == 0);
        REQUIRE(strncmp(small, all, used - 3) == 0);
    }
    free(small);
    free(all);
    free(back);
}

/* A line that nobody escaped, whatever is in it. */
static void
check_raw_line(const uint8_t *bytes, size_t length)
{
    char line[8192];
    char text[4096];

    if (length >= sizeof text)
        length = sizeof text - 1;
    if (length > 0)
        memcpy(text, bytes, length);
    text[length] = '\0';
    begin_catching(LOG_TEXT);
    log_info("%s", text);
    end_catching(line, sizeof line);
    REQUIRE(!has_control(line));
    begin_catching(LOG_JSON);
    log_info("%s", text);
    end_catching(line, sizeof line);
    REQUIRE(fuzz_is_printable(line));
    json_decref(load(line, "message"));
}

static void
take_bytes(struct fuzz_input *input, struct event_bytes *to)
{
    size_t length;
    size_t most = fuzz_byte(input);
    uint8_t *bytes = fuzz_take(input, most, &length);

    event_bytes_set(to, bytes, length);
    free(bytes);
}

/* Our own words and OpenSSL's names are printable. */
static void
take_words(struct fuzz_input *input, char *out, size_t room)
{
    size_t length = fuzz_byte(input) % room;

    for (size_t i = 0; i < length; i++)
        out[i] = (char)(' ' + fuzz_byte(input) % 95);
    out[length] = '\0';
}

static void
take_address(struct fuzz_input *input, struct net_address *address)
{
    bool v6 = fuzz_byte(input) & 1;

    REQUIRE(net_numeric(v6 ? "::" : "0.0.0.0", (uint16_t)fuzz_number(input, 2),
                        address));
    for (int i = 0; i < 16 && v6; i++)
        address->sa.v6.sin6_addr.s6_addr[i] = fuzz_byte(input);
    if (!v6)
        address->sa.v4.sin_addr.s_addr = (in_addr_t)fuzz_number(input, 4);
}

static int16_t
take_alert(struct fuzz_input *input)
{
    return fuzz_byte(input) & 1 ? (int16_t)fuzz_byte(input) : EVENT_NO_ALERT;
}

/* Only what the rest of the program can put into an event. */
static void
make_event(struct fuzz_input *input, struct event *event)
{
    struct net_address backend;
    char text[NET_TEXT_MAX];
    char words[160];
    unsigned flags = fuzz_byte(input);

    *event = (struct event){
        .id = fuzz_number(input, 8),
        .first = fuzz_byte(input) % (FIRST_OTHER + 1),
        .end = fuzz_byte(input) % (END_BACKEND + 1),
        .phase = fuzz_byte(input) % (PHASE_ANNOUNCE + 1),
        .tls = flags & 1,
        .handshake = flags & 2,
        .resumed = flags & 4,
        .tls_version = flags & 8 ? 0x0303 : 0x0304,
        .client_certificate = flags & 16,
        .alert_received = take_alert(input),
        .alert_sent = take_alert(input),
        .bytes_up = fuzz_number(input, 4),
        .bytes_down = fuzz_number(input, 8),
        .handshake_seconds = flags & 32 ? -1 : (float)fuzz_number(input, 2),
        .backend_seconds = flags & 64 ? -1 : (float)fuzz_number(input, 2),
        .total_seconds = (float)fuzz_number(input, 4) / 1000,
    };
    take_address(input, &event->client);
    take_address(input, &backend);
    if (flags & 128)
        event_text_set(&event->backend, net_text(&backend, text));
    take_words(input, event->cipher, sizeof event->cipher);
    take_words(input, event->group, sizeof event->group);
    take_words(input, words, sizeof words);
    event_text_set(&event->reason, words);
    take_bytes(input, &event->sni);
    take_bytes(input, &event->alpn_selected);
    take_bytes(input, &event->client_subject);
    event->mapi = fuzz_byte(input) % (MAPI_COMPLETE + 1);
    event->framed = fuzz_byte(input) & 1;
}

static void
check_bytes_json(const json_t *tls, const char *key,
                 const struct event_bytes *bytes)
{
    const char *text = json_string_value(json_object_get(tls, key));
    uint8_t back[4 * 255 + 1];

    if (bytes->length == 0) {
        REQUIRE(json_is_null(json_object_get(tls, key)));
        return;
    }
    REQUIRE(text != NULL && fuzz_is_printable(text));
    if (strlen(text) >= 3 && strcmp(text + strlen(text) - 3, "...") == 0)
        return; /* cut, for the line to fit */
    REQUIRE(unescape(text, back) == bytes->length);
    REQUIRE(memcmp(back, bytes->bytes, bytes->length) == 0);
}

static void
check_journal(const struct event *event, const char *name, size_t room)
{
    char line[4096];
    char *small = malloc(room);
    char logged[8192];
    json_t *json, *tls;

    REQUIRE(small != NULL);
    journal_line(event, name, line, sizeof line);
    REQUIRE(fuzz_is_printable(line));
    journal_line(event, name, small, room);
    REQUIRE(strlen(small) == (strlen(line) < room ? strlen(line) : room - 1));
    REQUIRE(strncmp(line, small, strlen(small)) == 0);
    free(small);

    begin_catching(LOG_TEXT);
    journal_write(event, name, NULL);
    end_catching(logged, sizeof logged);
    REQUIRE(fuzz_is_printable(logged));
    begin_catching(LOG_JSON);
    journal_write(event, name, NULL);
    end_catching(logged, sizeof logged);
    REQUIRE(fuzz_is_printable(logged));
    json = load(logged, "message");
    REQUIRE(json_is_string(json_object_get(json, "event")));
    REQUIRE(json_is_string(json_object_get(json, "mapi")));
    REQUIRE(json_is_null(json_object_get(json, "origin"))
            == event_is_probe(event));
    tls = json_object_get(json, "tls");
    REQUIRE(event->tls == json_is_object(tls));
    if (event->tls) {
        check_bytes_json(tls, "sni", &event->sni);
        check_bytes_json(tls, "alpn", &event->alpn_selected);
    }
    json_decref(json);
}

/* Our own words, whatever was observed: nothing of a peer's gets into them. */
static void
check_verdict(const struct event *event, const struct port_policy *row)
{
    static const char *const tests[] = {NULL, "connect_x", "refuse_x"};
    struct outcome outcome;
    struct judgement judgement;

    outcome_classify(event, row, &outcome);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        verdict_judge(event, &outcome, row, tests[i], &judgement);
        REQUIRE(fuzz_is_printable(judgement.why));
        REQUIRE(judgement.verdict <= VERDICT_OPEN);
    }
}

/* Where the part of a subject that begins at `at` ends: RFC 2253, section 4:
 * at a separator that has no backslash before it. */
static size_t
part_end(const uint8_t *bytes, size_t length, size_t at)
{
    bool escaped = false;

    for (; at < length; at++) {
        if (!escaped && (bytes[at] == ',' || bytes[at] == '+'))
            return at;
        escaped = !escaped && bytes[at] == '\\';
    }
    return length;
}

static struct slice
common_name(const struct event_bytes *subject)
{
    for (size_t at = 0; at < subject->length;) {
        size_t end = part_end(subject->bytes, subject->length, at);

        if (end - at > 3 && memcmp(subject->bytes + at, "CN=", 3) == 0)
            return (struct slice){subject->bytes + at + 3, end - at - 3};
        at = end + 1;
    }
    return (struct slice){NULL, 0};
}

static bool
is_same(struct slice slice, const void *bytes, size_t length)
{
    return slice.length == length
           && (length == 0 || memcmp(slice.bytes, bytes, length) == 0);
}

static void
check_preface(const struct event *event, const char *name)
{
    uint8_t out[PROXY2_MAX];
    struct net_address local;
    struct proxy2 header;
    struct slice cn = common_name(&event->client_subject);
    const char *reason;
    size_t size, decoded;

    REQUIRE(net_numeric("127.0.0.1", 4301, &local));
    size = preface_write(event, &local, name, "slow", "^monetdbs://x", out,
                         sizeof out);
    REQUIRE(size > 0);
    REQUIRE(proxy2_decode(out, size, &header, &decoded, &reason) == PROXY2_OK);
    REQUIRE(decoded == size && !header.local && header.tls == event->tls);
    REQUIRE(is_same(header.port_name, name, strlen(name)));
    REQUIRE(is_same(header.last_message, "^monetdbs://x", 13));
    REQUIRE(is_same(header.behaviour, "slow", 4));
    if (!event->tls)
        return;
    REQUIRE(is_same(header.authority, event->sni.bytes, event->sni.length));
    REQUIRE(is_same(header.alpn, event->alpn_selected.bytes,
                    event->alpn_selected.length));
    REQUIRE(is_same(header.tls_cn, cn.bytes, cn.length));
    REQUIRE(header.client_certificate == event->client_certificate);
}

static void
check_same_bytes(const struct event_bytes *a, const struct event_bytes *b)
{
    REQUIRE(is_same((struct slice){a->bytes, a->length}, b->bytes, b->length));
}

static bool
is_inside(const void *text, size_t length, const uint8_t *bytes, size_t all)
{
    const uint8_t *at = text;

    return at >= bytes && at <= bytes + all
           && length <= (size_t)(bytes + all - at);
}

/* Bytes that no worker sent; in a block of their own, for the sanitizer. */
static void
check_foreign(const uint8_t *input, size_t length)
{
    uint8_t *message = malloc(length + 1);
    const uint8_t *bytes = message;
    size_t left = length;
    struct event got;

    REQUIRE(message != NULL);
    if (length > 0)
        memcpy(message, input, length);
    while (left > 0 && outbox_take(&bytes, &left, &got)) {
        const struct event_bytes *texts[] = {&got.sni, &got.alpn_offered,
                                             &got.alpn_selected,
                                             &got.client_subject};

        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            REQUIRE(
                is_inside(texts[i]->bytes, texts[i]->length, message, length));
        REQUIRE(is_inside(got.reason, strlen(got.reason) + 1, message, length));
        REQUIRE(
            is_inside(got.backend, strlen(got.backend) + 1, message, length));
    }
    free(message);
}

/* Twice in one message: each event ends where the next begins. */
static void
check_outbox(const struct event *event, struct fuzz_input *input)
{
    static struct outbox outbox;
    const uint8_t *bytes = outbox.message;
    struct event got;
    size_t all, left;

    outbox.channel = -1;
    outbox.events = 0;
    outbox.length = 0;
    REQUIRE(outbox_add(&outbox, event) == 0);
    REQUIRE(outbox_add(&outbox, event) == 0);
    all = left = outbox.length;
    for (int i = 0; i < 2; i++) {
        REQUIRE(outbox_take(&bytes, &left, &got));
        REQUIRE(memcmp(event, &got, offsetof(struct event, sni)) == 0);
        check_same_bytes(&event->sni, &got.sni);
        check_same_bytes(&event->alpn_selected, &got.alpn_selected);
        check_same_bytes(&event->client_subject, &got.client_subject);
        REQUIRE(strcmp(event->reason, got.reason) == 0);
        REQUIRE(
            strcmp(event->backend != NULL ? event->backend : "", got.backend)
            == 0);
    }
    REQUIRE(left == 0);

    outbox.message[fuzz_number(input, 2) % all] = fuzz_byte(input);
    check_foreign(outbox.message, all - fuzz_byte(input) % 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct fuzz_input input = {bytes, length};
    size_t room = (size_t)fuzz_byte(&input) + 1;
    const char *name = port_table[fuzz_byte(&input) % port_table_count].name;
    struct event event;

    check_escape(input.at, input.left, room);
    check_raw_line(input.at, input.left);
    check_foreign(input.at, input.left);
    make_event(&input, &event);
    check_journal(&event, name, room * 16);
    check_preface(&event, name);
    check_verdict(&event, port_find(name));
    check_outbox(&event, &input);
    event_clear(&event);
    return 0;
}
