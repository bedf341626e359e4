/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/hostname.h"

#include <stddef.h>
#include <string.h>

/* The 255 octets of RFC 1035, as text. */
#define HOSTNAME_MAX 253

const char *
hostname_flaw(const char *hostname)
{
    size_t length = strlen(hostname);

    if (length == 0)
        return "is empty";
    if (length > HOSTNAME_MAX)
        return "is longer than 253 characters";
    for (size_t i = 0; i < length; i++) {
        if (hostname[i] <= ' ' || hostname[i] > '~')
            return "has a character that is not printable ASCII";
    }
    return NULL;
}
