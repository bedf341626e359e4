/*
 * arrivals.h - for tests: records as if workers had sent them
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef TESTS_UNIT_ARRIVALS_H
#define TESTS_UNIT_ARRIVALS_H

#include "proxy/outbox.h"
#include "proxy/records.h"

#define ARRIVAL_TIME 1795000000.25 /* seconds since 1970 */

/* A client that answered the challenge and got the last message, over TLS. */
static inline struct event
arrival(uint64_t id, const char *ip)
{
    struct event event = {
        .id = id,
        .accepted = ARRIVAL_TIME + (double)id,
        .first = FIRST_TLS,
        .tls = true,
        .handshake = true,
        .tls_version = 0x0304,
        .cipher = "TLS_AES_256_GCM_SHA384",
        .group = "x25519",
        .alert_received = EVENT_NO_ALERT,
        .alert_sent = EVENT_NO_ALERT,
        .bytes_up = 70,
        .bytes_down = 200,
        .framed = true,
        .mapi = MAPI_COMPLETE,
        .end = END_CLOSE_NOTIFY,
        .phase = PHASE_RELAY,
        .handshake_seconds = 0.25F,
        .backend_seconds = 0.125F,
        .total_seconds = 0.5F,
    };

    net_numeric(ip, (uint16_t)(50000 + id), &event.client);
    return event;
}

/* Add the event through the form in which it is sent. */
static inline void
arrive(struct records *records, const struct event *event, const char *port,
       const struct port_policy *row)
{
    static struct outbox outbox;
    const uint8_t *at = outbox.message;
    struct event sent = *event, taken;
    size_t length;

    if (sent.since_boot == 0)
        sent.since_boot = sent.accepted; /* booted in 1970 */
    outbox = (struct outbox){.channel = -1};
    outbox_add(&outbox, &sent);
    length = outbox.length;
    if (outbox_take(&at, &length, &taken))
        records_add(records, &taken,
                    (struct slice){outbox.message, outbox.length}, port, row);
}

#endif
