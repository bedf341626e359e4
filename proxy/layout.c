/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/layout.h"

#include <stdio.h>
#include <string.h>

static const struct assignment *
assigned(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->assignment_count; i++)
        if (strcmp(settings->assignments[i].name, name) == 0)
            return &settings->assignments[i];
    return NULL;
}

/* Numbers given by -a and -f are left out of the sequence. */
static bool
taken(const struct settings *settings, uint16_t number)
{
    if (settings->forward.set && settings->forward_port == number)
        return true;
    for (size_t i = 0; i < settings->assignment_count; i++)
        if (settings->assignments[i].port == number)
            return true;
    return false;
}

static int
check_assignments(const struct settings *settings, char *reason, size_t room)
{
    for (size_t i = 0; i < settings->assignment_count; i++) {
        const struct assignment *a = &settings->assignments[i];

        if (port_find(a->name) == NULL) {
            snprintf(reason, room, "-a %s=%u: there is no port '%s'", a->name,
                     a->port, a->name);
            return -1;
        }
        if (port_find(a->name)->forward) {
            snprintf(reason, room, "-a %s=%u: -f gives this port its number",
                     a->name, a->port);
            return -1;
        }
        if (assigned(settings, a->name) != a) {
            snprintf(reason, room, "-a %s: given twice", a->name);
            return -1;
        }
    }
    return 0;
}

/* Two rows, or a row and the HTTP port, under one number cannot be. */
static int
check_collisions(const struct layout *layout, char *reason, size_t room)
{
    for (size_t i = 0; i < layout->count; i++) {
        const struct port *p = &layout->ports[i];
        const char *other = NULL;

        if (p->number == 0)
            continue;
        if (p->number == layout->base)
            other = "base";
        for (size_t k = 0; k < i && other == NULL; k++)
            if (layout->ports[k].number == p->number)
                other = layout->ports[k].policy->name;
        if (other != NULL) {
            snprintf(reason, room, "port %u is asked for twice: '%s' and '%s'",
                     p->number, other, p->policy->name);
            return -1;
        }
    }
    return 0;
}

/* True of a number that there is, here and as clients see it. */
static bool
exists(const struct layout *layout, unsigned number)
{
    int shown = (int)number + layout->advertise;

    return number <= UINT16_MAX && shown >= 1 && shown <= UINT16_MAX;
}

/* A port moved by --advertise-base must still have a number. */
static int
check_advertised(const struct layout *layout, char *reason, size_t room)
{
    for (size_t i = 0; i < layout->count; i++) {
        const struct port *p = &layout->ports[i];

        if (p->number != 0 && !exists(layout, p->number)) {
            snprintf(reason, room,
                     "--advertise-base %d would show '%s' as port %d",
                     layout->base + layout->advertise, p->policy->name,
                     p->number + layout->advertise);
            return -1;
        }
    }
    return 0;
}

/* True if the row's group was asked for. */
static bool
is_on(const struct settings *settings, const struct port_policy *row)
{
    return (settings->groups & 1u << row->group) != 0;
}

int
layout_plan(struct layout *layout, const struct settings *settings,
            char *reason, size_t room)
{
    unsigned next = settings->base_port + 1u;

    *layout = (struct layout){.base = settings->base_port};
    if (settings->advertise_base != 0)
        layout->advertise = settings->advertise_base - settings->base_port;
    if (check_assignments(settings, reason, room) == -1)
        return -1;

    for (size_t i = 0; i < port_table_count; i++) {
        const struct port_policy *row = &port_table[i];
        const struct assignment *a = assigned(settings, row->name);
        bool spare =
            settings->sequential && a == NULL && row->group != GROUP_CLASSIC;
        unsigned number = 0;

        if (!is_on(settings, row))
            continue;
        if (row->forward) {
            number = settings->forward_port;
        } else if (a != NULL) {
            number = a->port;
        } else if (settings->sequential) {
            while (taken(settings, (uint16_t)next))
                next++;
            number = next++;
        }
        /* A row that is absent keeps its place in the sequence. */
        if (row->forward && !settings->forward.set)
            continue;
        if (row->simulator && settings->backend.set)
            continue;
        if (row->trusted && settings->trusted_chain == NULL)
            continue;
        if (row->target != NULL && !is_on(settings, port_find(row->target)))
            continue;
        if (spare && !exists(layout, number)) {
            layout->beyond++;
            continue;
        }
        if (number > UINT16_MAX) {
            snprintf(reason, room,
                     "base port %u leaves no number up to 65535 for '%s'",
                     settings->base_port, row->name);
            return -1;
        }
        layout->ports[layout->count] = (struct port){
            .policy = row,
            .index = (uint16_t)layout->count,
            .number = (uint16_t)number,
            .backend = row->forward ? LAYOUT_FORWARD : LAYOUT_ALL,
            .spare = spare,
        };
        layout->count++;
    }
    if (check_collisions(layout, reason, room) == -1)
        return -1;
    return check_advertised(layout, reason, room);
}

const struct port *
layout_find(const struct layout *layout, const char *name)
{
    for (size_t i = 0; i < layout->count; i++)
        if (strcmp(layout->ports[i].policy->name, name) == 0)
            return &layout->ports[i];
    return NULL;
}

void
layout_remove(struct layout *layout, size_t position)
{
    struct port *port = &layout->ports[position];

    layout->count--;
    memmove(port, port + 1, (layout->count - position) * sizeof *port);
}

uint16_t
layout_advertised(const struct layout *layout, uint16_t number)
{
    return (uint16_t)(number + layout->advertise);
}
