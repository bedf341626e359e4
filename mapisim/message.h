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

#define MESSAGE_CHALLENGE_MAX 128
#define MESSAGE_NAME_MAX      128 /* a port's name and its NUL */

size_t message_challenge(uint8_t *out, size_t room, const char *salt);

/* The usual last message: this is no MonetDB, and the name of the port. */
size_t message_apology(uint8_t *out, size_t room, const char *name);

#endif
