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

/* A row of the group chains: what is special is its certificate. */
#define CHAIN(row, file)                                                       \
    .name = row, .group = GROUP_CHAINS, .certificate = row,                    \
    .tls_min = PORT_TLS_1_3, .tls_max = PORT_TLS_1_3, .ca = file

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

    /* chains */
    {CHAIN("ecdsa", "ca_ecdsa.crt"), .expect = EXPECT_ACCEPT,
     .rule = "TLS 1.3, P-256 keys of server and CA",
     .why = "keys on the curve P-256 are as good as RSA"},
    {CHAIN("chain_intermediate", "ca1.crt"), .expect = EXPECT_ACCEPT,
     .rule = "TLS 1.3, chain by way of an intermediate CA",
     .why = "the chain is complete"},
    {CHAIN("chain_missing", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, the intermediate CA's certificate is not sent",
     .why = "a certificate is missing between the server's and the CA's"},
    {CHAIN("chain_disorder", "ca1.crt"), .expect = EXPECT_ACCEPT,
     .rule = "TLS 1.3, server certificate, CA 1, CA 3, intermediate CA, in "
             "this order",
     .why = "RFC 8446 (4.4.2) wants any order and more certificates handled"},
    {CHAIN("chain_expired", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, the intermediate CA's certificate expired a day ago",
     .why = "the intermediate CA's certificate expired a day ago"},
    {CHAIN("chain_not_ca", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, the intermediate certificate has CA:FALSE",
     .why = "the certificate was issued by one that is no CA's"},
    {CHAIN("chain_no_certsign", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, the intermediate CA's key usage lacks keyCertSign",
     .why = "the intermediate CA's key may not sign certificates"},
    {CHAIN("chain_pathlen", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, one intermediate CA more than CA 1's pathlen allows",
     .why = "the chain is longer than the path length constraint allows"},
    {CHAIN("chain_excluded", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, the intermediate CA's name constraints exclude the host "
             "names",
     .why = "the intermediate CA must not issue certificates for this host"},
    {CHAIN("chain_permitted", "ca1.crt"), .expect = EXPECT_ACCEPT,
     .rule = "TLS 1.3, the intermediate CA's name constraints permit just the "
             "host names",
     .why = "the name constraints permit this host"},
    {CHAIN("chain_critical", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, unknown critical extension in the server certificate",
     .why = "the certificate has a critical extension that no client knows"},
    {CHAIN("impostor", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, signed by another CA with the subject of CA 1",
     .why = "the signing CA has only the name of CA 1, not its key"},
    {CHAIN("selfsigned", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, self-signed server certificate",
     .why = "the certificate is self-signed"},
    {CHAIN("notyetvalid", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, the server certificate is valid from 15 days on",
     .why = "the certificate is not valid yet"},
    {CHAIN("wronghost", "ca1.crt"), .wrong_name = true, .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, the server certificate is for wrong.host.invalid",
     .why = "the certificate is for another host"},
    {CHAIN("cn_only", "ca1.crt"), .wrong_name = true, .expect = EXPECT_MAY,
     .rule = "TLS 1.3, host name in the subject's CN, no subjectAltName",
     .why =
         "RFC 9525 wants a name in the CN ignored, and many clients take it"},
    {CHAIN("cn_trap", "ca1.crt"), .wrong_name = true, .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, host name in the subject's CN, wrong.host.invalid in "
             "the subjectAltName",
     .why = "the subjectAltName is for another host, and counts, not the CN"},
    {CHAIN("partial_wildcard", "ca1.crt"), .wrong_name = true,
     .expect = EXPECT_MAY,
     .rule = "TLS 1.3, wildcard in the middle of the first label, as "
             "local*.localdomain",
     .why =
         "RFC 9525 allows a wildcard only as a whole label, older rules more"},
    {CHAIN("san_case", "ca1.crt"), .expect = EXPECT_ACCEPT,
     .rule = "TLS 1.3, host names in capitals",
     .why = "case does not matter in host names"},
    {CHAIN("client_eku", "ca1.crt"), .expect = EXPECT_REFUSE,
     .rule = "TLS 1.3, extended key usage clientAuth only",
     .why = "the certificate is for clients, not for servers"},
    {CHAIN("leaf_ca", "ca1.crt"), .expect = EXPECT_MAY,
     .rule = "TLS 1.3, server certificate with CA:TRUE",
     .why = "nothing forbids a server to use a CA's certificate"},
    {CHAIN("rsa1024", "ca1.crt"), .weak = true, .expect = EXPECT_MAY,
     .rule = "TLS 1.3, RSA key of 1024 bits",
     .why = "such keys are out of use, and whether they do is local policy"},
    {CHAIN("sha1", "ca1.crt"), .weak = true, .expect = EXPECT_MAY,
     .rule = "TLS 1.3, SHA-1 signature on the server certificate",
     .why =
         "such signatures are out of use, and whether they do is local policy"},
    {CHAIN("large", "ca1.crt"), .expect = EXPECT_ACCEPT,
     .rule = "TLS 1.3, over 16 KB of host names, more than one record",
     .why = "a Certificate message may take several records"},
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
