/*
 * message.h - what the simulator says, as framed MAPI messages
 *
 * The functions return the bytes written, or 0 if room is too small.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef MAPISIM_MESSAGE_H
#define MAPISIM_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"
#include "mapisim/behaviour.h"

#define MESSAGE_CHALLENGE_MAX 384 /* in blocks of one byte */
#define MESSAGE_NAME_MAX      128 /* a port's name and its NUL */

size_t message_challenge(uint8_t *out, size_t room, const char *salt,
                         const struct behaviour *behaviour);

/* Any text; in usual blocks where there is no room for small ones. */
size_t message_text(uint8_t *out, size_t room, struct slice text,
                    const struct behaviour *behaviour);

/* The usual last message: this is no MonetDB, and the name of the port. */
size_t message_apology(uint8_t *out, size_t room, const char *name,
                       const struct behaviour *behaviour);

#endif
