/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/apology.h"

#include <stdlib.h>
#include <string.h>

#include "base/challenge.h"
#include "base/frame.h"

#define RESPONSE_MAX 65536

#define MESSAGE_ROOM 256 /* for the longer of the two */

struct apology {
    struct frame_reader response;
    bool answered;
    struct buf out;
    uint8_t storage[MESSAGE_ROOM];
};

static void
say(struct apology *apology, const char *text)
{
    size_t n = frame_write(buf_space(&apology->out), buf_room(&apology->out),
                           text, strlen(text));

    buf_commit(&apology->out, n);
}

struct apology *
apology_new(struct salt_pool *salts)
{
    struct apology *apology = malloc(sizeof *apology);
    char salt[SALT_LENGTH + 1];
    char text[CHALLENGE_MAX];

    if (apology == NULL || salt_make(salts, salt) == -1) {
        free(apology);
        return NULL;
    }
    apology->answered = false;
    frame_begin(&apology->response, RESPONSE_MAX);
    buf_init(&apology->out, apology->storage, sizeof apology->storage);
    say(apology, challenge_text(text, salt, "merovingian", ""));
    return apology;
}

/* Read on in the response; IO_DONE: something came. */
static enum io
hear(struct apology *apology, struct endpoint *client)
{
    uint8_t bytes[4096];
    struct buf in;
    enum io result;
    size_t taken;

    if (endpoint_is_dry(client)) {
        client->waits |= WAIT_READ;
        return IO_AGAIN;
    }
    buf_init(&in, bytes, sizeof bytes);
    result = endpoint_read(client, &in);
    if (result != IO_DONE)
        return result;
    switch (frame_read(&apology->response, bytes, in.length, &taken)) {
    case FRAME_MORE:
        break;
    case FRAME_COMPLETE:
        apology->answered = true;
        say(apology, APOLOGY_TEXT);
        break;
    case FRAME_BAD_BLOCK:
    case FRAME_TOO_LONG:
        return IO_BROKEN;
    }
    return IO_DONE;
}

enum io
apology_run(struct apology *apology, struct endpoint *client)
{
    enum io result = IO_DONE;

    while (result == IO_DONE) {
        if (apology->out.length > 0)
            result = endpoint_write(client, &apology->out, false);
        else if (endpoint_has_unsent(client))
            result = endpoint_flush(client);
        else if (apology->answered)
            return IO_DONE;
        else
            result = hear(apology, client);
    }
    return result;
}

void
apology_free(struct apology *apology)
{
    free(apology);
}
