/*
 * front.h - a port that the operator configured
 *
 * Plain values, made from the configuration file (config.h), which owns all of
 * it.  The row of the port table that a classic port has is here a part of the
 * front, so that what holds for every port need not ask which kind it is.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_FRONT_H
#define PROXY_FRONT_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/guard.h"
#include "proxy/limits.h"
#include "proxy/networks.h"
#include "proxy/ports.h"
#include "proxy/settings.h"

#define FRONT_LISTEN_MAX       8
#define FRONT_CERTIFICATES_MAX 16
#define FRONT_TARGETS_MAX      8

/* A file of the operator's, opened by the master, read by workers only. */
struct operator_file {
    const char *path; /* NULL: none */
    int line;         /* of the configuration file that names it */
    int fd;           /* -1: not open */
};

struct operator_certificate {
    struct operator_file chain; /* PEM, the leaf first */
    struct operator_file key;   /* PEM, unencrypted; may be chain's path */
};

enum client_certificate {
    CLIENT_CERTIFICATE_NONE, /* not asked for */
    CLIENT_CERTIFICATE_OPTIONAL,
    CLIENT_CERTIFICATE_REQUIRED,
};

enum alpn_rule {
    ALPN_SELECT,  /* mapi/9 is chosen when offered */
    ALPN_REQUIRE, /* without it: closed after the handshake */
    ALPN_IGNORE,
};

enum sni_rule {
    SNI_ANY,     /* a name without a certificate gets the first one */
    SNI_KNOWN,   /* such a name is refused; none at all is not */
    SNI_REQUIRE, /* a name, and one that a certificate covers */
};

struct front {
    struct port_policy policy;
    int line; /* where it begins in the configuration file */
    struct target listen[FRONT_LISTEN_MAX]; /* port 0: any, if free the same */
    size_t listen_count;
    struct operator_certificate certificates[FRONT_CERTIFICATES_MAX];
    size_t certificate_count; /* 0: no TLS */
    const char *ciphers;      /* TLS 1.2, OpenSSL's form; NULL: its default */
    const char *ciphersuites; /* TLS 1.3 */
    const char *groups;
    struct operator_file client_ca;
    enum client_certificate client_certificate;
    enum alpn_rule alpn;
    enum sni_rule sni;
    enum redirects redirects; /* out of TLS, by the backend's login reply */
    bool simulator;           /* the backend is the simulator: no targets */
    struct target targets[FRONT_TARGETS_MAX]; /* tried in turn */
    size_t target_count;
    bool connect_early;           /* to the backend, while the handshake runs */
    bool send_proxy;              /* a PROXY header to the backend */
    struct networks accept_proxy; /* who must send one; empty: nobody */
    struct timers timers;
    struct limits limits; /* of this port alone */
};

#endif
