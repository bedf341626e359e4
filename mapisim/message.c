/* SPDX-License-Identifier: MPL-2.0 */
#include "mapisim/message.h"

#include <stdio.h>
#include <string.h>

#include "base/challenge.h"
#include "base/frame.h"

/* pymonetdb looks for the name in parentheses, Java for how it begins, and the
 * phrase at the end is the documented one. */
#define APOLOGY                                                                \
    "!Sorry, this is not a real MonetDB instance (%s): "                       \
    "Sorry, this is not a real MonetDB server"

size_t
message_text(uint8_t *out, size_t room, struct slice text,
             const struct behaviour *behaviour)
{
    size_t length = frame_write_blocks(out, room, text.bytes, text.length,
                                       behaviour->block);

    return length > 0 ? length
                      : frame_write(out, room, text.bytes, text.length);
}

size_t
message_challenge(uint8_t *out, size_t room, const char *salt,
                  const struct behaviour *behaviour)
{
    char text[CHALLENGE_MAX];

    challenge_text(text, salt, behaviour->type, behaviour->options);
    return message_text(out, room, slice_text(text), behaviour);
}

size_t
message_apology(uint8_t *out, size_t room, const char *name,
                const struct behaviour *behaviour)
{
    char text[sizeof APOLOGY + MESSAGE_NAME_MAX];

    snprintf(text, sizeof text, APOLOGY, name);
    return message_text(out, room, slice_text(text), behaviour);
}
