/*
 * hostname.h - which host names a certificate can carry
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CERTS_HOSTNAME_H
#define CERTS_HOSTNAME_H

#include <stddef.h>

/*
 * Says what is wrong with a host name or numeric address, as the end of a
 * sentence ("is empty"), or NULL.  Strange characters are no flaw as long as
 * they print: a certificate for a bad name is what some tests need.
 */
const char *hostname_flaw(const char *hostname);

/* If it is a numeric address: its bytes, of which there are 4 or 16; 0 if it is
 * none. */
size_t hostname_address(const char *hostname, unsigned char bytes[16]);

#endif
