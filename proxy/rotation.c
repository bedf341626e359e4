/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "proxy/checker.h"
#include "proxy/master_state.h"
#include "proxy/notify.h"
#include "proxy/parcel.h"
#include "proxy/resolver.h"
#include "proxy/state.h"
#include "proxy/trusted.h"

/* Editions that open connections may outlive.  Past that the oldest has not
 * long; past the second, a reload waits until one of them is gone. */
#define OLD_EDITIONS_MAX   4
#define OLD_EDITIONS_LIMIT 16
#define HURRY_SECONDS      60.0

#define RENEW_RETRY_SECONDS 3600.0

static void reload_done(struct master *m, const char *error);

/* Pass a descriptor on to control, and close it; -1, which was logged by who
 * could not make it, is not passed. */
static void
hand_to_control(struct master *m, enum message_kind kind, int fd)
{
    const struct message message = {.kind = kind};

    if (fd != -1)
        children_tell(m, PROCESS_CONTROL, CREW_TEST, ROLE_CURRENT, &message,
                      fd);
    net_close(&fd);
}

void
rotation_tell_chart(struct master *m)
{
    hand_to_control(m, MESSAGE_CHART, chart_pack(&m->chart));
}

/* How many editions of a crew old workers still serve, from that number on. */
static unsigned
old_editions(const struct master *m, enum crew crew, unsigned from)
{
    unsigned found = 0;

    for (unsigned n = m->rotations[crew].number + 1; n-- > from;) {
        const struct child *c = m->children;

        while (c != NULL
               && (c->role != ROLE_OLD || c->crew != crew || c->number != n))
            c = c->next;
        found += c != NULL;
    }
    return found;
}

/*
 * From now on it accepts no more, and ends with its last connection.  It counts
 * as ready until it says that it has closed: one that is just starting accepts,
 * too, before it reads this.
 */
static void
retire(struct child *child)
{
    child->role = ROLE_OLD;
    if (child->pid == 0) {
        children_free(child); /* it waited for a restart */
        return;
    }
    child->ready = true;
    (void)channel_say(child->channel, MESSAGE_DRAIN);
}

/* Of too many editions that old workers serve, the oldest must hurry. */
static void
hurry_old(struct master *m, enum crew crew)
{
    const struct message stop = {.kind = MESSAGE_STOP,
                                 .seconds = HURRY_SECONDS};

    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->role == ROLE_OLD && c->crew == crew && c->pid > 0 && !c->hurried
            && old_editions(m, crew, c->number + 1) >= OLD_EDITIONS_MAX)
            c->hurried = channel_send(c->channel, &stop, -1) == 0;
}

/* The new workers are ready: from now on they are the crew. */
static void
take_over(struct master *m, enum crew crew)
{
    for (struct child *c = m->children, *next; c != NULL; c = next) {
        next = c->next;
        if (c->kind != PROCESS_WORKER || c->crew != crew)
            continue;
        if (c->role == ROLE_NEXT)
            c->role = ROLE_CURRENT;
        else if (c->role == ROLE_CURRENT)
            retire(c);
    }
    hurry_old(m, crew);
}

/* The generated certificates */

double
rotation_renew_in(const struct master *m)
{
    const struct settings *settings = m->site->settings;

    if (m->site->certs == NULL)
        return 0;
    return state_renew_in(settings->state, m->site->certs,
                          settings->renew_after);
}

/* New workers for the port table, whose certificates have changed. */
static void
start_again(struct master *m, bool renewal)
{
    struct rotation *rotation = &m->rotations[CREW_TEST];
    struct edition *edition = m->site->editions[CREW_TEST];

    edition->number = ++rotation->number;
    rotation->renewal = renewal;
    rotation->step = ROTATION_STARTING;
    if (children_add_workers(m, edition, ROLE_NEXT) == -1)
        log_error("no memory to renew the certificates");
}

void
rotation_renew(struct master *m)
{
    if (m->rotations[CREW_TEST].step != ROTATION_NONE
        || state_renew(m->site->settings->state, m->site->certs) == -1) {
        m->renew.repeat = m->site->settings->renew_after;
        if (m->renew.repeat > RENEW_RETRY_SECONDS)
            m->renew.repeat = RENEW_RETRY_SECONDS;
        ev_timer_again(m->loop, &m->renew);
        return;
    }
    m->renew.repeat = rotation_renew_in(m);
    ev_timer_again(m->loop, &m->renew);
    start_again(m, true);
}

static void
switch_files(struct master *m)
{
    hand_to_control(m, MESSAGE_STORE, parcel_make(m->site->certs));
    log_info("generated certificates renewed");
    count(&m->site->board->renewals, 1);
}

/* The configuration */

int
rotation_start_resolver(struct master *m, enum crew crew)
{
    struct edition *edition = m->site->editions[crew];

    for (struct child *c = m->children, *next; c != NULL; c = next) {
        next = c->next;
        if (c->kind != PROCESS_RESOLVER || c->crew != crew)
            continue;
        c->role = ROLE_OLD;
        children_kill(c); /* it holds nothing that could be lost */
    }
    if (!resolver_is_needed(edition))
        return 0;
    return children_add(m, PROCESS_RESOLVER, crew, 0) == NULL ? -1 : 0;
}

/* Indexes that ports have whose connections may still be open, or that are the
 * port table's. */
static void
taken_indexes(const struct master *m, struct edition_indexes *indexes)
{
    const struct edition *table = m->site->editions[CREW_TEST];

    *indexes = (struct edition_indexes){{false}};
    for (size_t i = 0; table != NULL && i < table->layout.count; i++)
        indexes->taken[table->layout.ports[i].index] = true;
    for (const struct child *c = m->children; c != NULL; c = c->next)
        for (size_t i = 0; i < PORTS_MAX; i++)
            indexes->taken[i] |= c->indexes.taken[i];
}

static struct config *
read_config(const struct master *m, enum reload what)
{
    const struct settings *settings = m->site->settings;
    const struct config *now = m->site->editions[CREW_CONFIGURED]->config;

    if (what == RELOAD_ALL)
        return config_read(settings->config, settings);
    return config_parse(now->path, now->text, strlen(now->text), settings);
}

/* The next edition, its files open; NULL: logged. */
static struct edition *
make_next(struct master *m, enum reload what)
{
    struct rotation *rotation = &m->rotations[CREW_CONFIGURED];
    const struct edition *now = m->site->editions[CREW_CONFIGURED];
    struct config *config = read_config(m, what);
    struct edition_indexes indexes;
    struct edition *next = NULL;

    if (config == NULL)
        return NULL;
    taken_indexes(m, &indexes);
    rotation->files = operator_files_signature(config);
    if (operator_files_open(config,
                            m->site->settings->allow_world_readable_keys)
        == 0)
        next = edition_of_config(config, now, &indexes);
    if (next == NULL)
        config_free(config);
    return next;
}

void
rotation_reload(struct master *m, enum reload what)
{
    struct rotation *rotation = &m->rotations[CREW_CONFIGURED];
    const struct edition *now = m->site->editions[CREW_CONFIGURED];

    /* Not before everything serves: its end would be taken for readiness. */
    if (!m->serving || rotation->step != ROTATION_NONE
        || old_editions(m, CREW_CONFIGURED, 0) >= OLD_EDITIONS_LIMIT) {
        if (m->again < what)
            m->again = what;
        return;
    }
    m->again = RELOAD_NONE;
    (void)notify_reloading();
    if (now == NULL) {
        log_info("nothing to reload: there is no --config");
        master_tell_systemd(m);
        return;
    }
    /* If this fails, files that have changed are still to be tried with the
     * configuration in force, unless it is that which is read here. */
    if (what == RELOAD_FILES)
        m->configured.files = m->configured.glance =
            operator_files_signature(now->config);
    rotation->next = make_next(m, what);
    if (rotation->next == NULL) {
        reload_done(m, log_last_error());
        return;
    }
    rotation->step = ROTATION_CHECKING;
    if (children_add(m, PROCESS_CHECKER, CREW_CONFIGURED, 0) == NULL)
        rotation_checked(m, "no memory");
}

/* Bind what the next edition has more, and see to its simulator. */
static int
prepare_next(struct master *m, struct edition *next)
{
    struct site *site = m->site;
    bool had_simulator = site->simulator != -1;

    if (edition_bind(next, site->settings, site->editions[CREW_CONFIGURED])
            == -1
        || site_add_simulator(site, next) == -1)
        return -1;
    if (!had_simulator && site->simulator != -1
        && children_add(m, PROCESS_SIMULATOR, CREW_TEST, 0) == NULL)
        return -1;
    return 0;
}

/* What was counted under an index by a port that is gone is not the new
 * one's. */
static void
forget_indexes(struct master *m, const struct edition *next)
{
    for (size_t i = 0; i < next->layout.count; i++) {
        const struct port *port = &next->layout.ports[i];

        if (strcmp(m->chart.ports[port->index].name, port->policy->name) != 0)
            board_forget(m->site->board, port->index);
    }
}

void
rotation_checked(struct master *m, const char *error)
{
    struct rotation *rotation = &m->rotations[CREW_CONFIGURED];
    struct edition *next = rotation->next;

    if (m->stopping || rotation->step != ROTATION_CHECKING)
        return;
    if (error == NULL && prepare_next(m, next) == -1)
        error = log_last_error();
    if (error != NULL) {
        reload_done(m, error);
        return;
    }
    next->number = ++rotation->number;
    rotation->step = ROTATION_STARTING;
    forget_indexes(m, next);
    chart_enter(&m->chart, next, m->site->settings);
    rotation_tell_chart(m); /* before the first event with a new index */
    if (children_add_workers(m, next, ROLE_NEXT) == -1) {
        log_error("no memory for the new workers");
        rotation_abort(m, CREW_CONFIGURED);
    }
}

void
rotation_abort(struct master *m, enum crew crew)
{
    struct rotation *rotation = &m->rotations[crew];

    if (rotation->step != ROTATION_STARTING || rotation->next == NULL)
        return;
    for (struct child *c = m->children, *next; c != NULL; c = next) {
        next = c->next;
        if (c->kind != PROCESS_WORKER || c->crew != crew
            || c->role != ROLE_NEXT)
            continue;
        retire(c); /* it may have connections already */
    }
    chart_enter(&m->chart, m->site->editions[crew], m->site->settings);
    reload_done(m, "a worker could not start with it");
}

static bool
same_http(const struct config *a, const struct config *b)
{
    bool same = a->http_count == b->http_count;

    for (size_t i = 0; i < a->http_count && same; i++)
        same = a->http[i].port == b->http[i].port
               && strcmp(a->http[i].host, b->http[i].host) == 0;
    return same;
}

/* The next edition is in force; its resolver replaces the old one. */
static void
put_in_force(struct master *m)
{
    struct rotation *rotation = &m->rotations[CREW_CONFIGURED];

    rotation->old = m->site->editions[CREW_CONFIGURED];
    m->site->editions[CREW_CONFIGURED] = rotation->next;
    rotation->next = NULL;
    if (!same_http(rotation->old->config,
                   m->site->editions[CREW_CONFIGURED]->config))
        log_warning("http: a change takes a restart");
    m->configured.files = m->configured.glance = rotation->files;
    if (rotation_start_resolver(m, CREW_CONFIGURED) == -1)
        log_error("no memory for the resolver");
}

/* Count how a reload went, and tell; what is NULL if there is an error. */
static void
note_reload(struct master *m, const char *error, const char *what)
{
    struct chart_reloads *reloads = &m->chart.reloads;

    reloads->last = ev_time();
    if (error != NULL)
        reloads->failed++;
    else
        reloads->done++;
    log_cut(reloads->error, sizeof reloads->error, error != NULL ? error : "");
    if (error != NULL)
        log_error("not reloaded, everything stays as it was: %s", error);
    else
        log_info("reloaded: %s", what);
    rotation_tell_chart(m);
    master_tell_systemd(m);
}

/* The reload is over, for better or, if there is an error, for worse. */
static void
reload_done(struct master *m, const char *error)
{
    struct rotation *rotation = &m->rotations[CREW_CONFIGURED];
    char what[64];

    edition_free(rotation->next);
    edition_free(rotation->old);
    rotation->next = rotation->old = NULL;
    rotation->step = ROTATION_NONE;
    snprintf(what, sizeof what, "%zu configured ports",
             m->site->editions[CREW_CONFIGURED]->layout.count);
    note_reload(m, error, what);
}

/* The operator's certificate in the port table */

void
rotation_reload_trusted(struct master *m)
{
    struct site *site = m->site;
    struct edition *edition = site->editions[CREW_TEST];
    struct edition next = *edition;
    char why[CHECKER_WHY_MAX] = "";

    if (!m->serving || m->rotations[CREW_TEST].step != ROTATION_NONE
        || old_editions(m, CREW_TEST, 0) >= OLD_EDITIONS_LIMIT) {
        m->trusted.files.hash = 0; /* the next look will find a change */
        return;
    }
    (void)notify_reloading();
    next.trusted = trusted_config(site->settings);
    if (next.trusted != NULL)
        m->trusted.files = m->trusted.glance =
            operator_files_signature(next.trusted);
    if (next.trusted == NULL
        || operator_files_open(next.trusted,
                               site->settings->allow_world_readable_keys)
               == -1) {
        log_cut(why, sizeof why, log_last_error());
    } else if (checker_run(&next, &site->privileges, why) == 0) {
        struct config *old = edition->trusted;

        edition->trusted = next.trusted;
        next.trusted = old;
        *why = '\0';
        start_again(m, false);
    }
    config_free(next.trusted);
    if (*why != '\0')
        note_reload(m, why, NULL);
}

/* Both */

static void
advance(struct master *m, enum crew crew)
{
    struct rotation *rotation = &m->rotations[crew];

    if (rotation->step == ROTATION_STARTING
        && children_are(m, crew, ROLE_NEXT, true)) {
        if (rotation->next != NULL)
            put_in_force(m);
        take_over(m, crew);
        rotation->step = ROTATION_CLOSING;
    }
    if (rotation->step == ROTATION_CLOSING
        && children_are(m, crew, ROLE_OLD, false)) {
        rotation->step = ROTATION_NONE;
        if (crew == CREW_CONFIGURED)
            reload_done(m, NULL);
        else if (rotation->renewal)
            switch_files(m);
        else
            note_reload(m, NULL, "the certificate of port 'trusted'");
    }
}

void
rotation_advance(struct master *m)
{
    for (int crew = 0; crew < CREW_COUNT; crew++)
        advance(m, crew);
    if (m->again != RELOAD_NONE
        && m->rotations[CREW_CONFIGURED].step == ROTATION_NONE)
        rotation_reload(m, m->again);
}
