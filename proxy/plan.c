/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/plan.h"

#include <stdio.h>

/* How a client is to be set up, beyond its CA. */
enum { PLAIN = 1, WITH_CERTIFICATE = 2, OTHER_HOST = 4 };

/* The classic ports, in their order; without a why it is the row's. */
static const struct {
    const char *name, *port, *ca;
    unsigned how;
    enum port_expect expect;
    const char *why;
} classic[] = {
    {"connect_tls", "server1", "ca1.crt", 0, EXPECT_ACCEPT,
     "the certificate is valid and of the CA that was given"},
    {"refuse_no_ca", "server1", NULL, 0, EXPECT_REFUSE,
     "the certificate is of a CA that no system trusts"},
    {"refuse_wrong_ca", "server1", "ca2.crt", 0, EXPECT_REFUSE,
     "the certificate is of another CA than the one that was given"},
    {"refuse_wrong_host", "server1", "ca1.crt", OTHER_HOST, EXPECT_REFUSE,
     "the certificate is for another host name"},
    {"refuse_plain_to_tls", "server1", NULL, PLAIN, EXPECT_REFUSE,
     "the server speaks TLS and nothing else"},
    {"connect_tls_ca2", "server2", "ca2.crt", 0, EXPECT_ACCEPT,
     "the certificate is valid and of the CA that was given"},
    {"refuse_ca2_by_ca1", "server2", "ca1.crt", 0, EXPECT_REFUSE,
     "the certificate is of another CA than the one that was given"},
    {"connect_tls_ca3", "server3", "ca3.crt", 0, EXPECT_ACCEPT,
     "the certificate is valid and of the CA that was given"},
    {"connect_plain", "plain", NULL, PLAIN, EXPECT_ACCEPT,
     "no TLS was asked for, and the server speaks none"},
    {"refuse_tls_to_plain", "plain", "ca1.crt", 0, EXPECT_REFUSE,
     "TLS was asked for, and the server speaks none"},
    {"refuse_expired", "expiredcert", "ca1.crt", 0, EXPECT_REFUSE, NULL},
    {"refuse_tls12", "tls12", "ca1.crt", 0, EXPECT_REFUSE, NULL},
    {"connect_client_auth", "clientauth", "ca1.crt", WITH_CERTIFICATE,
     EXPECT_ACCEPT, "the client certificate is of the CA that is asked for"},
    {"refuse_no_client_certificate", "clientauth", "ca1.crt", 0, EXPECT_REFUSE,
     "the server demands a client certificate, and there is none"},
    {"connect_server_name", "sni", "ca1.crt", 0, EXPECT_ACCEPT,
     "the server name (SNI) is one of the host names"},
    {"refuse_unknown_server_name", "sni", "ca1.crt", OTHER_HOST, EXPECT_REFUSE,
     "the server has no such name, and neither has its certificate"},
    {"connect_alpn_mapi9", "alpn_mapi9", "ca1.crt", 0, EXPECT_ACCEPT,
     "the client offers ALPN mapi/9"},
    {"connect_redirect", "redirect", "ca1.crt", 0, EXPECT_ACCEPT,
     "the redirect leads to server2, and has its certhash"},
};

#define CLASSIC (sizeof classic / sizeof classic[0])

static void
with_certificate(struct plan_test *test)
{
    test->client_crt = "client2.crt";
    test->client_key = "client2.key";
}

static void
classic_test(size_t number, struct plan_test *out)
{
    const struct port_policy *row = port_find(classic[number].port);

    *out = (struct plan_test){
        .row = row,
        .tls = (classic[number].how & PLAIN) == 0,
        .ca = classic[number].ca,
        .other_host = (classic[number].how & OTHER_HOST) != 0,
        .expect = classic[number].expect,
        .why = classic[number].why != NULL ? classic[number].why : row->why,
    };
    snprintf(out->name, sizeof out->name, "%s", classic[number].name);
    if ((classic[number].how & WITH_CERTIFICATE) != 0)
        with_certificate(out);
}

void
plan_of_row(const struct port_policy *row, struct plan_test *out)
{
    static const char *const prefixes[] = {
        [EXPECT_TEST] = "",
        [EXPECT_ACCEPT] = "connect_",
        [EXPECT_REFUSE] = "refuse_",
        [EXPECT_MAY] = "may_",
    };

    *out = (struct plan_test){
        .row = row,
        .tls = port_has_tls(row),
        .ca = row->ca,
        .expect = row->expect,
        .why = row->why,
    };
    snprintf(out->name, sizeof out->name, "%s%s", prefixes[row->expect],
             row->name);
    if (row->client_ca != NULL)
        with_certificate(out);
}

bool
plan_test(size_t number, struct plan_test *out)
{
    if (number < CLASSIC) {
        classic_test(number, out);
        return true;
    }
    number -= CLASSIC;
    for (size_t i = 0; i < port_table_count; i++) {
        if (port_table[i].group == GROUP_CLASSIC)
            continue;
        if (number-- == 0) {
            plan_of_row(&port_table[i], out);
            return true;
        }
    }
    return false;
}
