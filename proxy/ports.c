/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/ports.h"

#include <string.h>

const char *const port_group_names[] = {
    [GROUP_CLASSIC] = "classic",
    [GROUP_CONFIGURED] = "configured",
};

const char *const port_expect_names[] = {
    [EXPECT_TEST] = "test",
    [EXPECT_ACCEPT] = "accept",
    [EXPECT_REFUSE] = "refuse",
    [EXPECT_MAY] = "may",
};

const char *const crew_names[CREW_COUNT] = {
    [CREW_TEST] = "test",
    [CREW_CONFIGURED] = "configured",
};

/* The order gives the numbers under --sequential: never sort, only append to a
 * group. */
const struct port_policy port_table[] = {
    {
        .name = "server1",
        .certificate = "server1",
        .tls_min = PORT_TLS_1_3,
        .tls_max = PORT_TLS_1_3,
        .ca = "ca1.crt",
        .expect = EXPECT_TEST,
        .rule = "TLS 1.3, server certificate signed by CA 1",
    },
    {
        .name = "server2",
        .certificate = "server2",
        .tls_min = PORT_TLS_1_3,
        .tls_max = PORT_TLS_1_3,
        .ca = "ca2.crt",
        .expect = EXPECT_TEST,
        .rule = "TLS 1.3, server certificate signed by CA 2",
    },
    {
        .name = "server3",
        .certificate = "server3",
        .tls_min = PORT_TLS_1_3,
        .tls_max = PORT_TLS_1_3,
        .ca = "ca3.crt",
        .expect = EXPECT_TEST,
        .rule = "TLS 1.3, server certificate signed by CA 3",
    },
    {
        .name = "plain",
        .expect = EXPECT_TEST,
        .rule = "no TLS",
    },
    {
        .name = "expiredcert",
        .certificate = "server1x",
        .tls_min = PORT_TLS_1_3,
        .tls_max = PORT_TLS_1_3,
        .ca = "ca1.crt",
        .expect = EXPECT_REFUSE,
        .rule = "TLS 1.3, the server certificate expired a day ago",
        .why = "the certificate expired a day ago",
    },
    {
        .name = "tls12",
        .certificate = "server1",
        .tls_min = PORT_TLS_1_2,
        .tls_max = PORT_TLS_1_2,
        .ca = "ca1.crt",
        .expect = EXPECT_REFUSE,
        .rule = "TLS 1.2 and nothing else",
        .why = "the server speaks TLS 1.2 at most",
    },
    {
        .name = "clientauth",
        .certificate = "server1",
        .tls_min = PORT_TLS_1_3,
        .tls_max = PORT_TLS_1_3,
        .client_ca = "ca2",
        .ca = "ca1.crt",
        .expect = EXPECT_TEST,
        .rule = "TLS 1.3, client certificate issued by CA 2 required",
    },
    {
        .name = "sni",
        .certificate = "server1",
        .tls_min = PORT_TLS_1_3,
        .tls_max = PORT_TLS_1_3,
        .sni_required = true,
        .ca = "ca1.crt",
        .expect = EXPECT_TEST,
        .rule = "TLS 1.3, server name (SNI) required, one of the host names",
    },
    {
        .name = "alpn_mapi9",
        .certificate = "server1",
        .tls_min = PORT_TLS_1_3,
        .tls_max = PORT_TLS_1_3,
        .alpn_required = true,
        .ca = "ca1.crt",
        .expect = EXPECT_TEST,
        .rule = "TLS 1.3, closed after the handshake unless ALPN mapi/9",
    },
    {
        .name = "redirect",
        .certificate = "server1",
        .tls_min = PORT_TLS_1_3,
        .tls_max = PORT_TLS_1_3,
        .redirect = true,
        .ca = "ca1.crt",
        .expect = EXPECT_TEST,
        .rule = "TLS 1.3, redirects to server2 with its certhash",
    },
    {
        .name = "forward",
        .certificate = "server3",
        .tls_min = PORT_TLS_1_3,
        .tls_max = PORT_TLS_1_3,
        .forward = true,
        .tickets = true,
        .ca = "ca3.crt",
        .expect = EXPECT_TEST,
        .rule = "TLS 1.3, server certificate signed by CA 3, relayed to the "
                "backend given by -f",
    },
};

const size_t port_table_count = sizeof port_table / sizeof port_table[0];

const struct port_policy *
port_find(const char *name)
{
    for (size_t i = 0; i < port_table_count; i++)
        if (strcmp(port_table[i].name, name) == 0)
            return &port_table[i];
    return NULL;
}
