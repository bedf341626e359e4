/*
 * fuzz_outbox.c - a message from a worker that a client has overcome
 *
 * Control takes events off it, keeps them, and shows them.
 *
 * Input: changes to a message of three events: two bytes for the place, one for
 * what stands there instead.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "proxy/account.h"
#include "proxy/journal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/arrivals.h"

static size_t
make_message(struct fuzz_input *input, struct outbox *outbox)
{
    *outbox = (struct outbox){.channel = -1};
    for (uint64_t i = 0; i < 3; i++) {
        struct event event = arrival(i, i == 0 ? "127.0.0.1" : "2001:db8::1");

        event.port = (uint16_t)(i * 100);
        event.sni = (struct event_bytes){(const uint8_t *)"localhost", 9};
        event.backend = "127.0.0.1:50000";
        REQUIRE(outbox_add(outbox, &event) == 0);
    }
    while (input->left >= 3) {
        size_t place = fuzz_number(input, 2) % outbox->length;

        outbox->message[place] = fuzz_byte(input);
    }
    return outbox->length;
}

static void
show(const struct record *record)
{
    struct record_view view;
    char line[4096];
    json_t *json;

    records_view(record, &view);
    json = account_json(&view.event, record->port, record->row);
    REQUIRE(json_is_object(json));
    json_decref(json);
    json = account_time(record->accepted);
    REQUIRE(json_is_string(json));
    json_decref(json);
    journal_line(&view.event, record->port, line, sizeof line);
    REQUIRE(*line != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct outbox outbox;
    struct fuzz_input input = {bytes, length};
    size_t left = make_message(&input, &outbox);
    uint8_t *message = malloc(left);
    const uint8_t *at = message;
    struct bindings *bindings = bindings_new();
    struct records *records = records_new(2, bindings);
    struct event event;

    REQUIRE(message != NULL && bindings != NULL && records != NULL);
    memcpy(message, outbox.message, left);
    while (left > 0) {
        struct slice packed = {at, left};

        if (!outbox_take(&at, &left, &event)) {
            REQUIRE(left == 0);
            break;
        }
        packed.length -= left;
        if (event.port < PORTS_MAX)
            records_add(records, &event, packed, "server1",
                        port_find("server1"));
    }
    for (uint64_t n = records_first(records); n < records_next(records); n++)
        show(records_get(records, n));
    records_free(records);
    bindings_free(bindings);
    free(message);
    return 0;
}
