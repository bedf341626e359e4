/* SPDX-License-Identifier: MPL-2.0 */
#include "base/challenge.h"

#include <stdio.h>

/* Clients count the fields: the trailing colon is needed, a newline is not. */
#define CHALLENGE                                                              \
    "%s:%s:9:RIPEMD160,SHA512,SHA384,SHA256,SHA224,SHA1:LIT:SHA512:%s"

char *
challenge_text(char out[CHALLENGE_MAX], const char *salt, const char *type,
               const char *options)
{
    snprintf(out, CHALLENGE_MAX, CHALLENGE, salt, type, options);
    return out;
}
