/*
 * settings.h - what the command line asks for
 *
 * Plain values, filled by options_parse() before the first fork and constant
 * from then on: every process reads its own copy.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_SETTINGS_H
#define PROXY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/net.h"
#include "proxy/limits.h"
#include "proxy/target.h"

#define SETTINGS_LIST_MAX 64 /* of each repeatable option */
#define WORKERS_MAX       64

/* Longest stays, in seconds; 0 means for ever. */
struct timers {
    double handshake;   /* accept to handshake complete */
    double connect;     /* to reach one address of the backend */
    double first_byte;  /* ready to the client's first byte */
    double idle;        /* without a byte either way */
    double stall;       /* with bytes for a client that takes none */
    double half_closed; /* a silent client after the backend's end of file */
    double keepalive;   /* silence until TCP asks whether the peer is there */
    double linger;      /* discarding after a refusal */
    double drain;       /* orderly stop */
    double silence;     /* of the port that never answers; never 0 */
};

struct assignment {
    char name[64]; /* what is cut off here is no port's name either */
    uint16_t port;
};

/* Whose records HTTP shows. */
enum settings_records {
    RECORDS_BY_ADDRESS, /* all where nobody else can ask, else own */
    RECORDS_ALL,
    RECORDS_OWN, /* only those of the address that asks */
};

struct settings {
    bool serve;  /* false: -w alone, write and exit */
    bool tester; /* the port table is served, and HTTP on the base port */
    uint16_t base_port;
    const char *write_directory; /* NULL: none */
    const char *listen[SETTINGS_LIST_MAX];
    size_t listen_count; /* 0: loopback, both families */
    const char *hostnames[SETTINGS_LIST_MAX];
    size_t hostname_count; /* at least 1 */
    bool sequential;
    unsigned groups;         /* bit 1 << enum port_group */
    uint16_t advertise_base; /* 0: as it is */
    struct assignment assignments[SETTINGS_LIST_MAX];
    size_t assignment_count;
    uint16_t forward_port;
    struct target forward;     /* set: the port `forward` exists */
    struct target backend;     /* set: instead of the simulator */
    const char *trusted_chain; /* PEM; NULL: there is no port `trusted` */
    const char *trusted_key;   /* set if the chain is */
    int workers;
    struct timers timers;
    double renew_after;        /* seconds from issue to renewal of the leaves */
    struct limits limits;      /* of the ports of the table, all together */
    unsigned http_connections; /* at once */
    enum settings_records records;
    unsigned history;   /* how many records are kept */
    const char *config; /* --config FILE; NULL: none */
    bool check;         /* check the configuration, and no more */
    const char *state;  /* --state DIR; NULL: none */
    const char *user;   /* whom children run as; NULL: who we are */
    bool allow_world_readable_keys;
    bool no_sandbox;
    bool health; /* --health: ask a running instance */
    const char *health_url;
    int verbose;
    enum log_format log_format;
};

#endif
