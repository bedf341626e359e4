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
message_challenge(uint8_t *out, size_t room, const char *salt)
{
    char text[CHALLENGE_MAX];

    challenge_text(text, salt, "merovingian", "");
    return frame_write(out, room, text, strlen(text));
}

size_t
message_apology(uint8_t *out, size_t room, const char *name)
{
    char text[sizeof APOLOGY + MESSAGE_NAME_MAX];

    snprintf(text, sizeof text, APOLOGY, name);
    return frame_write(out, room, text, strlen(text));
}
