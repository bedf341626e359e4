/*
 * secret.h - memory that holds what opens something
 *
 * It is left out of core dumps and, as far as the limit of locked memory goes
 * (RLIMIT_MEMLOCK), kept out of the swap; a child that is forked has it
 * unlocked.
 *
 * It is for the text of a private key while it is read, for the secret that
 * session tickets come from and their keys.  Not for a private key as OpenSSL
 * holds it: its secure heap has a fixed size and takes in the short-lived key
 * of every handshake too, so that a flood of them would leave none for a
 * client.  That no core is ever written holds for all of a process (sandbox.h);
 * whoever has swap should encrypt it.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>

/* So many bytes, all 0, in pages of their own; NULL if there is no memory. */
void *secret_new(size_t length);

/* Give all of them back, wiped.  NULL does nothing. */
void secret_free(void *bytes, size_t length);

/* Guard the pages of what has its place already, and keeps it: the allocator
 * could not give them back to the system. */
void secret_guard(const void *bytes, size_t length);

#endif
