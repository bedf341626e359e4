/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/frame.h"

const char *const event_end_names[] = {
    [END_CLOSE_NOTIFY] = "close_notify",
    [END_EOF] = "eof",
    [END_RESET] = "reset",
    [END_TIMEOUT] = "timeout",
    [END_REFUSED] = "refused",
    [END_BACKEND] = "backend",
};

const char *const event_first_names[] = {
    [FIRST_NONE] = "none", [FIRST_TLS] = "tls",     [FIRST_MAPI] = "mapi",
    [FIRST_HTTP] = "http", [FIRST_OTHER] = "other",
};

void
event_bytes_set(struct event_bytes *to, const void *bytes, size_t length)
{
    size_t kept = length < EVENT_TEXT_MAX ? length : EVENT_TEXT_MAX;
    uint8_t *copy = kept > 0 ? malloc(kept) : NULL;

    if (copy != NULL)
        memcpy(copy, bytes, kept);
    free((void *)to->bytes);
    to->bytes = copy;
    to->length = copy != NULL ? (uint8_t)kept : 0;
}

void
event_text_set(const char **to, const char *text)
{
    size_t kept = text != NULL ? strnlen(text, EVENT_TEXT_MAX) : 0;
    char *copy = text != NULL ? malloc(kept + 1) : NULL;

    if (copy != NULL) {
        memcpy(copy, text, kept);
        copy[kept] = '\0';
    }
    free((void *)*to);
    *to = copy;
}

void
event_clear(struct event *event)
{
    event_bytes_set(&event->sni, NULL, 0);
    event_bytes_set(&event->alpn_offered, NULL, 0);
    event_bytes_set(&event->alpn_selected, NULL, 0);
    event_bytes_set(&event->client_subject, NULL, 0);
    event_text_set(&event->reason, NULL);
    event_text_set(&event->backend, NULL);
}

static bool
is_http(const uint8_t *bytes, size_t length)
{
    static const char *const methods[] = {
        "GET ",     "HEAD ",    "POST ",  "PUT ",   "DELETE ",
        "OPTIONS ", "CONNECT ", "TRACE ", "PATCH ", "PRI * "};

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        size_t n = strlen(methods[i]);

        if (length >= 4
            && memcmp(bytes, methods[i], n < length ? n : length) == 0)
            return true;
    }
    return false;
}

/* A legal block header; an empty block or a text follows it. */
static bool
is_mapi(const uint8_t *bytes, size_t length)
{
    unsigned header;

    if (length < 2)
        return false;
    header = bytes[0] | (unsigned)bytes[1] << 8;
    if (header >> 1 > FRAME_BLOCK_MAX)
        return false;
    if (header >> 1 == 0)
        return true;
    return length == 2 || (bytes[2] >= 0x20 && bytes[2] < 0x7f);
}

enum first_bytes
event_classify_first(const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return FIRST_NONE;
    if (bytes[0] == 0x16 && length == 1)
        return FIRST_NONE;
    if (bytes[0] == 0x16 && bytes[1] == 0x03)
        return FIRST_TLS;
    if (is_http(bytes, length))
        return FIRST_HTTP;
    if (is_mapi(bytes, length))
        return FIRST_MAPI;
    return FIRST_OTHER;
}

bool
event_is_probe(const struct event *event)
{
    return event->first == FIRST_NONE && event->bytes_up == 0
           && !event->handshake
           && (event->end == END_EOF || event->end == END_RESET);
}

const char *
event_tls_version(const struct event *event)
{
    switch (event->tls_version) {
    case 0x0303:
        return "TLSv1.2";
    case 0x0304:
        return "TLSv1.3";
    }
    return NULL;
}
