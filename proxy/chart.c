/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/chart.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/net.h"
#include "proxy/front.h"

/* An operator's backend is nobody's business. */
static void
name_backend(char *out, size_t room, const struct port *port,
             const struct edition *edition)
{
    const struct backend *backend = &edition->backends[port->backend];
    char text[TARGET_TEXT_MAX];

    if (backend->simulator)
        snprintf(out, room, "simulator");
    else if (port->policy->front != NULL)
        snprintf(out, room, "configured");
    else
        snprintf(out, room, "%s", target_text(backend->targets, text));
}

static void
enter_port(struct chart_port *entry, const struct port *port,
           const struct edition *edition)
{
    const struct port_policy *policy = port->policy;

    *entry = (struct chart_port){
        .open = true,
        .number = port->number,
        .group = policy->group,
        .crew = edition->crew,
        .tls_min = policy->tls_min,
        .tls_max = policy->tls_max,
        .expect = policy->expect,
    };
    if (policy->front != NULL)
        entry->limits = policy->front->limits;
    snprintf(entry->name, sizeof entry->name, "%s", policy->name);
    snprintf(entry->certificate, sizeof entry->certificate, "%s",
             policy->certificate != NULL ? policy->certificate : "");
    snprintf(entry->rule, sizeof entry->rule, "%s", policy->rule);
    name_backend(entry->backend, sizeof entry->backend, port, edition);
}

static bool
is_exposed(const struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        if (!net_is_loopback(&sockets->rows[i].listening->address))
            return true;
    return false;
}

void
chart_enter(struct chart *chart, const struct edition *edition,
            const struct settings *settings)
{
    chart->limits[edition->crew] = edition->limits;
    chart->exposed[edition->crew] = is_exposed(&edition->sockets);
    if (edition->crew == CREW_TEST) {
        chart->tester = settings->tester;
        chart->base = edition->layout.base;
        chart->advertise = edition->layout.advertise;
    }
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (chart->ports[i].crew == edition->crew)
            chart->ports[i].open = false;
    for (size_t i = 0; i < edition->layout.count; i++) {
        const struct port *port = &edition->layout.ports[i];

        enter_port(&chart->ports[port->index], port, edition);
    }
}

uint16_t
chart_base(const struct chart *chart)
{
    return (uint16_t)(chart->base + chart->advertise);
}

uint16_t
chart_number(const struct chart *chart, const struct chart_port *port)
{
    int shift = port->crew == CREW_TEST ? chart->advertise : 0;

    return (uint16_t)(port->number + shift);
}

const struct chart_port *
chart_find(const struct chart *chart, const char *text)
{
    uint16_t number;

    if (*text == '\0')
        return NULL;
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (strcmp(chart->ports[i].name, text) == 0)
            return &chart->ports[i];
    if (!net_parse_port(text, &number))
        return NULL;
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (chart->ports[i].open
            && chart_number(chart, &chart->ports[i]) == number)
            return &chart->ports[i];
    return NULL;
}

int
chart_pack(const struct chart *chart)
{
    int fd = memfd_create("chart", MFD_CLOEXEC);

    if (fd != -1 && pwrite(fd, chart, sizeof *chart, 0) != sizeof *chart)
        net_close(&fd);
    if (fd == -1)
        log_errno("cannot pack the chart of ports");
    return fd;
}

int
chart_unpack(struct chart *chart, int fd)
{
    static struct chart read;

    if (pread(fd, &read, sizeof read, 0) != sizeof read) {
        log_error("the chart of ports did not arrive whole");
        return -1;
    }
    *chart = read;
    return 0;
}
