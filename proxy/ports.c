/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/ports.h"

#include <string.h>

const char *const port_group_names[] = {
    [GROUP_CLASSIC] = "classic",
    [GROUP_HOSTILE] = "hostile",
    [GROUP_CHAINS] = "chains",
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

/* What is right about a port that is like `server1` but for one thing. */
#define SERVER1                                                                \
    .certificate = "server1", .tls_min = PORT_TLS_1_3,                         \
    .tls_max = PORT_TLS_1_3, .ca = "ca1.crt"

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
        .simulator = true,
        .target = "server2",
        .certhash = "server2",
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
    {
        .name = "silent",
        .group = GROUP_HOSTILE,
        SERVER1,
        .holds = true,
        .helpless = true,
        .deed = DEED_SILENT,
        .expect = EXPECT_REFUSE,
        .rule = "accepts, then never answers",
        .why = "the server never answers",
    },
    {
        .name = "hangup",
        .group = GROUP_HOSTILE,
        SERVER1,
        .helpless = true,
        .deed = DEED_HANG_UP,
        .expect = EXPECT_REFUSE,
        .rule = "ends with FIN after the ClientHello",
        .why = "the server hangs up after the ClientHello",
    },
    {
        .name = "garbage",
        .group = GROUP_HOSTILE,
        SERVER1,
        .helpless = true,
        .deed = DEED_GARBAGE,
        .expect = EXPECT_REFUSE,
        .rule = "answers the ClientHello with HTTP",
        .why = "what answers is no TLS",
    },
    {
        .name = "alert",
        .group = GROUP_HOSTILE,
        SERVER1,
        .helpless = true,
        .deed = DEED_ALERT,
        .expect = EXPECT_REFUSE,
        .rule = "refuses every ClientHello with alert handshake_failure (40)",
        .why = "the server refuses the handshake",
    },
    {
        .name = "tls11",
        .group = GROUP_HOSTILE,
        .certificate = "server1",
        .tls_min = PORT_TLS_1_0,
        .tls_max = PORT_TLS_1_1,
        .ca = "ca1.crt",
        .helpless = true,
        .expect = EXPECT_REFUSE,
        .rule = "TLS 1.0 and 1.1 and nothing else",
        .why = "the server speaks TLS 1.1 at most",
    },
    {
        .name = "truncate",
        .group = GROUP_HOSTILE,
        SERVER1,
        .simulator = true,
        .deed = DEED_TRUNCATE,
        .behaviour = "cut_message",
        .expect = EXPECT_REFUSE,
        .judge = JUDGE_UNSEEN,
        .rule = "TLS 1.3, FIN without close_notify in the middle of the last "
                "message",
        .why = "the last message is cut off, without close_notify",
    },
    {
        .name = "cut_message",
        .group = GROUP_HOSTILE,
        SERVER1,
        .simulator = true,
        .behaviour = "cut_message",
        .expect = EXPECT_REFUSE,
        .judge = JUDGE_UNSEEN,
        .rule = "TLS 1.3, orderly end in the middle of the last message",
        .why = "the last message is cut off, although TLS ends in order",
    },
    {
        .name = "tiny_records",
        .group = GROUP_HOSTILE,
        SERVER1,
        .simulator = true,
        .deed = DEED_TINY,
        .behaviour = "tiny_blocks",
        .expect = EXPECT_ACCEPT,
        .rule = "TLS 1.3, one byte in every record and in every MAPI block",
        .why = "records and blocks of one byte are legal",
    },
    {
        .name = "slow",
        .group = GROUP_HOSTILE,
        SERVER1,
        .holds = true,
        .simulator = true,
        .behaviour = "slow",
        .expect = EXPECT_ACCEPT,
        .rule = "TLS 1.3, every MAPI byte 20 ms after the one before",
        .why = "a slow server is a good one",
    },
    {
        .name = "key_update",
        .group = GROUP_HOSTILE,
        SERVER1,
        .simulator = true,
        .deed = DEED_KEY_UPDATE,
        .expect = EXPECT_ACCEPT,
        .rule = "TLS 1.3, KeyUpdate(update_requested) before the last message",
        .why = "every TLS 1.3 client must be able to update its keys",
    },
    {
        .name = "redirect_plain",
        .group = GROUP_HOSTILE,
        SERVER1,
        .simulator = true,
        .target = "plain",
        .expect = EXPECT_REFUSE,
        .judge = JUDGE_TARGET,
        .rule = "TLS 1.3, redirects to plain, out of TLS",
        .why = "the redirect leaves TLS",
    },
    {
        .name = "redirect_badhash",
        .group = GROUP_HOSTILE,
        SERVER1,
        .simulator = true,
        .target = "server2",
        .certhash = "server3",
        .expect = EXPECT_REFUSE,
        .judge = JUDGE_TARGET,
        .rule =
            "TLS 1.3, redirects to server2 with a certhash that is not its own",
        .why = "the certificate of the target has another hash",
    },
    {
        .name = "redirect_loop",
        .group = GROUP_HOSTILE,
        SERVER1,
        .simulator = true,
        .target = "redirect_loop",
        .certhash = "server1",
        .expect = EXPECT_REFUSE,
        .judge = JUDGE_COUNT,
        .rule = "TLS 1.3, redirects to itself",
        .why = "a client gives up after a bounded number of redirects",
    },
    {
        .name = "login",
        .group = GROUP_HOSTILE,
        SERVER1,
        .holds = true,
        .simulator = true,
        .behaviour = "login",
        .expect = EXPECT_ACCEPT,
        .rule = "TLS 1.3, the login succeeds: challenge of type mserver, empty "
                "reply",
        .why = "the login succeeds",
    },
    {
        .name = "trusted",
        .group = GROUP_HOSTILE,
        .tls_min = PORT_TLS_1_3,
        .tls_max = PORT_TLS_1_3,
        .trusted = true,
        .ca = "system",
        .expect = EXPECT_ACCEPT,
        .rule = "TLS 1.3, the certificate given by --trusted-cert",
        .why =
            "a certificate authority of the system has issued the certificate",
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
