/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/preface.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/proxy2.h"

/* An IPv4 address as IPv6 (RFC 4291, 2.5.5.2) if mapped. */
static void
set_address(struct proxy2_address *to, const struct net_address *from,
            bool mapped)
{
    to->port = net_port(from);
    if (from->sa.any.sa_family == AF_INET6) {
        to->length = 16;
        memcpy(to->ip, &from->sa.v6.sin6_addr, 16);
    } else if (mapped) {
        to->length = 16;
        memset(to->ip + 10, 0xff, 2);
        memcpy(to->ip + 12, &from->sa.v4.sin_addr, 4);
    } else {
        to->length = 4;
        memcpy(to->ip, &from->sa.v4.sin_addr, 4);
    }
}

static struct slice
as_slice(const struct event_bytes *bytes)
{
    return (struct slice){bytes->bytes, bytes->length};
}

/* Where a part of an RFC 2253 subject ends: at a separator that is not escaped.
 * An organisation may well be called "x,CN=y". */
static const uint8_t *
part_end(const uint8_t *at, const uint8_t *end)
{
    for (; at < end && *at != ',' && *at != '+'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at;
}

/* The value of the first CN in an RFC 2253 subject, which is the last one in
 * the certificate, for PP2_SUBTYPE_SSL_CN. */
static struct slice
common_name(struct slice subject)
{
    const uint8_t *at = subject.bytes;
    const uint8_t *end = subject.length > 0 ? at + subject.length : at;

    while (at < end) {
        const uint8_t *stop = part_end(at, end);

        if (stop - at > 3 && memcmp(at, "CN=", 3) == 0)
            return (struct slice){at + 3, (size_t)(stop - at - 3)};
        at = stop < end ? stop + 1 : end;
    }
    return (struct slice){NULL, 0};
}

size_t
preface_write(const struct event *event, const struct net_address *local,
              const char *port_name, const char *last_message, uint8_t *out,
              size_t room)
{
    /* A load balancer may name a client of the other family: a header has room
     * for one. */
    bool mapped = event->client.sa.any.sa_family != local->sa.any.sa_family;
    struct proxy2 header = {0};
    char id[24];

    set_address(&header.source, &event->client, mapped);
    set_address(&header.destination, local, mapped);
    snprintf(id, sizeof id, "%" PRIu64, event->id);
    header.unique_id = slice_text(id);
    if (port_name != NULL)
        header.port_name = slice_text(port_name);
    if (last_message != NULL)
        header.last_message = slice_text(last_message);
    if (event->tls) {
        header.tls = true;
        header.client_certificate = event->client_certificate;
        header.alpn = as_slice(&event->alpn_selected);
        header.authority = as_slice(&event->sni);
        header.tls_version = slice_text(event_tls_version(event));
        header.tls_cipher = slice_text(event->cipher);
        header.tls_cn = common_name(as_slice(&event->client_subject));
    }
    return proxy2_encode(&header, out, room);
}
