/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/specs.h"

#define HOUR 3600L
#define DAY  (24 * HOUR)
#define YEAR (365 * DAY)

/* An hour back, so that a client whose clock is a little slow sees a valid
 * certificate. */
#define SINCE (-HOUR)

#define AUTHORITY_LIFE .starts_seconds = SINCE, .ends_seconds = 10 * YEAR
#define LEAF_LIFE      .starts_seconds = SINCE, .ends_seconds = 14 * DAY
#define EXPIRED        .starts_seconds = -15 * DAY, .ends_seconds = -1 * DAY

/* Longer than what it issues. */
#define INTERMEDIATE_LIFE .starts_seconds = SINCE, .ends_seconds = 15 * DAY

/* A port's certificate with a key that is made in no time. */
#define LEAF(row, authority)                                                   \
    .name = row, .issuer = authority, .use = CERT_SERVER, .key = CERT_P256,    \
    .files = FILES_CHAIN, .fleeting = true

#define INTERMEDIATE(row, authority)                                           \
    .name = row, .issuer = authority, .use = CERT_INTERMEDIATE,                \
    .key = CERT_P256, .files = FILES_NONE, .fleeting = true

/* An authority with the subject of another and not its key; that is RSA, too,
 * so that a signature has to be looked at to see the difference. */
#define IMPOSTOR(row, authority)                                               \
    .name = row, .subject_of = authority, .key_of = "ca3",                     \
    .use = CERT_AUTHORITY, .files = FILES_NONE, .fleeting = true

const struct cert_spec cert_specs[] = {
    {.name = "ca1", .use = CERT_AUTHORITY, AUTHORITY_LIFE},
    {.name = "ca2", .use = CERT_AUTHORITY, AUTHORITY_LIFE},
    {.name = "ca3", .use = CERT_AUTHORITY, AUTHORITY_LIFE},
    {.name = "server1",
     .issuer = "ca1",
     .sends = {"ca1"},
     .use = CERT_SERVER,
     LEAF_LIFE},
    {.name = "server2",
     .issuer = "ca2",
     .sends = {"ca2"},
     .use = CERT_SERVER,
     LEAF_LIFE},
    {.name = "server3",
     .issuer = "ca3",
     .sends = {"ca3"},
     .use = CERT_SERVER,
     LEAF_LIFE},
    {.name = "server1x",
     .issuer = "ca1",
     .key_of = "server1",
     .sends = {"ca1"},
     .use = CERT_SERVER,
     EXPIRED},
    {.name = "client2",
     .issuer = "ca2",
     .use = CERT_CLIENT,
     .files = FILES_KEYCRT,
     LEAF_LIFE},
    {.name = "ca_ecdsa",
     .use = CERT_AUTHORITY,
     .key = CERT_P256,
     AUTHORITY_LIFE},

    /* Clients for the port clientauth.  A key is no part of what is tried
     * here, and a shared one costs nothing. */
    {.name = "client1",
     .issuer = "ca1",
     .key_of = "client2",
     .use = CERT_CLIENT,
     .files = FILES_KEYCRT,
     .fleeting = true,
     LEAF_LIFE},
    {.name = "client2x",
     .issuer = "ca2",
     .key_of = "client2",
     .use = CERT_CLIENT,
     .files = FILES_KEYCRT,
     .fleeting = true,
     EXPIRED},
    {IMPOSTOR("client2_impostor_ca", "ca2"), AUTHORITY_LIFE},
    {.name = "client2_impostor",
     .issuer = "client2_impostor_ca",
     .key_of = "client2",
     .use = CERT_CLIENT,
     .files = FILES_KEYCRT,
     .fleeting = true,
     LEAF_LIFE},

    /* The group chains: a leaf for each port, named like it. */
    {LEAF("ecdsa", "ca_ecdsa"), LEAF_LIFE},
    {INTERMEDIATE("chain_intermediate_ca", "ca1"), INTERMEDIATE_LIFE},
    {LEAF("chain_intermediate", "chain_intermediate_ca"),
     .sends = {"chain_intermediate_ca"}, LEAF_LIFE},
    /* An intermediate of its own: some clients remember those that they saw on
     * another port. */
    {INTERMEDIATE("chain_missing_ca", "ca1"), INTERMEDIATE_LIFE},
    {LEAF("chain_missing", "chain_missing_ca"), LEAF_LIFE},
    {LEAF("chain_disorder", "chain_intermediate_ca"),
     .sends = {"ca1", "ca3", "chain_intermediate_ca"}, LEAF_LIFE},
    {INTERMEDIATE("chain_expired_ca", "ca1"), EXPIRED},
    {LEAF("chain_expired", "chain_expired_ca"), .sends = {"chain_expired_ca"},
     LEAF_LIFE},
    {INTERMEDIATE("chain_not_ca_ca", "ca1"), .defect = DEFECT_NOT_CA,
     INTERMEDIATE_LIFE},
    {LEAF("chain_not_ca", "chain_not_ca_ca"), .sends = {"chain_not_ca_ca"},
     LEAF_LIFE},
    {INTERMEDIATE("chain_no_certsign_ca", "ca1"), .defect = DEFECT_NO_CERTSIGN,
     INTERMEDIATE_LIFE},
    {LEAF("chain_no_certsign", "chain_no_certsign_ca"),
     .sends = {"chain_no_certsign_ca"}, LEAF_LIFE},
    /* The upper one's pathlen 0 says what ca1's 1 says, for clients that take
     * no constraints from a trust anchor (RFC 5280, 6.2). */
    {INTERMEDIATE("chain_pathlen_upper_ca", "ca1"), INTERMEDIATE_LIFE},
    {INTERMEDIATE("chain_pathlen_lower_ca", "chain_pathlen_upper_ca"),
     INTERMEDIATE_LIFE},
    {LEAF("chain_pathlen", "chain_pathlen_lower_ca"),
     .sends = {"chain_pathlen_lower_ca", "chain_pathlen_upper_ca"}, LEAF_LIFE},
    {INTERMEDIATE("chain_excluded_ca", "ca1"), .defect = DEFECT_EXCLUDED,
     INTERMEDIATE_LIFE},
    {LEAF("chain_excluded", "chain_excluded_ca"),
     .sends = {"chain_excluded_ca"}, LEAF_LIFE},
    {INTERMEDIATE("chain_permitted_ca", "ca1"), .defect = DEFECT_PERMITTED,
     INTERMEDIATE_LIFE},
    {LEAF("chain_permitted", "chain_permitted_ca"),
     .sends = {"chain_permitted_ca"}, LEAF_LIFE},
    {LEAF("chain_critical", "ca1"), .defect = DEFECT_CRITICAL, LEAF_LIFE},
    {IMPOSTOR("impostor_ca", "ca1"), AUTHORITY_LIFE},
    {LEAF("impostor", "impostor_ca"), .sends = {"impostor_ca"}, LEAF_LIFE},
    {LEAF("selfsigned", NULL), LEAF_LIFE},
    /* Not from tomorrow: until a renewal, which is half a leaf's life away, it
     * must not become valid. */
    {LEAF("notyetvalid", "ca1"), .starts_seconds = 15 * DAY,
     .ends_seconds = 29 * DAY},
    {LEAF("wronghost", "ca1"), .defect = DEFECT_WRONG_HOST, LEAF_LIFE},
    {LEAF("cn_only", "ca1"), .defect = DEFECT_CN_ONLY, LEAF_LIFE},
    {LEAF("cn_trap", "ca1"), .defect = DEFECT_CN_TRAP, LEAF_LIFE},
    {LEAF("partial_wildcard", "ca1"), .defect = DEFECT_PARTIAL_WILDCARD,
     LEAF_LIFE},
    {LEAF("san_case", "ca1"), .defect = DEFECT_CAPITALS, LEAF_LIFE},
    {.name = "client_eku",
     .issuer = "ca1",
     .use = CERT_CLIENT,
     .key = CERT_P256,
     .files = FILES_CHAIN,
     .fleeting = true,
     LEAF_LIFE},
    {LEAF("leaf_ca", "ca1"), .defect = DEFECT_LEAF_CA, LEAF_LIFE},
    {.name = "rsa1024",
     .issuer = "ca1",
     .use = CERT_SERVER,
     .key = CERT_RSA_1024,
     .files = FILES_CHAIN,
     .fleeting = true,
     LEAF_LIFE},
    {LEAF("sha1", "ca1"), .sha1 = true, LEAF_LIFE},
    {LEAF("large", "ca1"), .defect = DEFECT_MANY_NAMES, LEAF_LIFE},
};

const size_t cert_spec_count = sizeof cert_specs / sizeof cert_specs[0];
