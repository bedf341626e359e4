/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/specs.h"

#define HOUR 3600L
#define DAY  (24 * HOUR)
#define YEAR (365 * DAY)

/* An hour back, so that a client whose clock is a little slow sees a valid
 * certificate. */
#define SINCE (-HOUR)

const struct cert_spec cert_specs[] = {
    {.name = "ca1",
     .use = CERT_AUTHORITY,
     .starts_seconds = SINCE,
     .ends_seconds = 10 * YEAR},
    {.name = "ca2",
     .use = CERT_AUTHORITY,
     .starts_seconds = SINCE,
     .ends_seconds = 10 * YEAR},
    {.name = "ca3",
     .use = CERT_AUTHORITY,
     .starts_seconds = SINCE,
     .ends_seconds = 10 * YEAR},
    {.name = "server1",
     .issuer = "ca1",
     .use = CERT_SERVER,
     .starts_seconds = SINCE,
     .ends_seconds = 14 * DAY},
    {.name = "server2",
     .issuer = "ca2",
     .use = CERT_SERVER,
     .starts_seconds = SINCE,
     .ends_seconds = 14 * DAY},
    {.name = "server3",
     .issuer = "ca3",
     .use = CERT_SERVER,
     .starts_seconds = SINCE,
     .ends_seconds = 14 * DAY},
    {.name = "server1x",
     .issuer = "ca1",
     .key_of = "server1",
     .use = CERT_SERVER,
     .starts_seconds = -15 * DAY,
     .ends_seconds = -1 * DAY},
    {.name = "client2",
     .issuer = "ca2",
     .use = CERT_CLIENT,
     .starts_seconds = SINCE,
     .ends_seconds = 14 * DAY,
     .keycrt = true},
};

const size_t cert_spec_count = sizeof cert_specs / sizeof cert_specs[0];
