/*
 * chart.h - what is open, as control has to know it
 *
 * Plain values of fixed size: the master makes a chart whenever an edition
 * changes and passes it to control as the bytes that it is.  A port that was
 * closed keeps its place, and its name, for the events of old connections.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CHART_H
#define PROXY_CHART_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/edition.h"
#include "proxy/limits.h"
#include "proxy/ports.h"
#include "proxy/settings.h"

struct chart_port {
    bool open;
    char name[64]; /* "": the index was never used */
    uint16_t number;
    enum port_group group;
    enum crew crew;
    int tls_min, tls_max;
    char certificate[32]; /* "": none of the generated ones */
    char rule[256];
    enum port_expect expect;
    char backend[NET_HOST_MAX + 16];
    struct limits limits;
};

/* How reloads went. */
struct chart_reloads {
    unsigned done, failed;
    double last;     /* seconds since 1970; 0: none yet */
    char error[512]; /* why the last one failed; "": it did not */
};

struct chart {
    bool tester;   /* the base port is open */
    uint16_t base; /* HTTP */
    int advertise; /* what clients must add to a number to reach it */
    bool exposed[CREW_COUNT]; /* not on loopback addresses alone */
    struct limits limits[CREW_COUNT];
    struct chart_reloads reloads;
    struct chart_port ports[PORTS_MAX]; /* by index */
};

/* Enter an edition's ports; those of its crew that it lacks are closed. */
void chart_enter(struct chart *chart, const struct edition *edition,
                 const struct settings *settings);

/* The base port's number, and a port's, as clients see them
 * (--advertise-base). */
uint16_t chart_base(const struct chart *chart);
uint16_t chart_number(const struct chart *chart, const struct chart_port *port);

/* The port of that name, or else the open one of that number as clients see it;
 * NULL if there is none. */
const struct chart_port *
chart_find(const struct chart *chart, const char *text);

/* The chart in a memfd that the caller closes; -1, the reason logged. */
int chart_pack(const struct chart *chart);

/* Read a chart from the memfd, which stays the caller's.  Returns 0, or -1,
 * logged, with the chart as it was. */
int chart_unpack(struct chart *chart, int fd);

#endif
