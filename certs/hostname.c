/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/hostname.h"

#include <arpa/inet.h>
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

/* inet_pton() takes the canonical forms only, where OpenSSL's own parser would
 * also read "+1.2.3.4" and leave it to clients to disagree. */
size_t
hostname_address(const char *hostname, unsigned char bytes[16])
{
    if (inet_pton(AF_INET, hostname, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, hostname, bytes) == 1 ? 16 : 0;
}
