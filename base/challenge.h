/*
 * challenge.h - the first message of a MAPI server, as text
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_CHALLENGE_H
#define BASE_CHALLENGE_H

#define CHALLENGE_MAX 128 /* its NUL included */

/*
 * Write a challenge to out, which is returned: salt is salt_make()'s; type is
 * "mserver" or, for clients to send neither user nor password, "merovingian";
 * options are what comes behind the hash, "sql=6:" for one, or "".
 */
char *challenge_text(char out[CHALLENGE_MAX], const char *salt,
                     const char *type, const char *options);

#endif
