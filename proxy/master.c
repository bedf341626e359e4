/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/master.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/master_state.h"
#include "proxy/notify.h"

/* What a process may take to end once it should, beyond the drain time. */
#define GRACE_SECONDS 2.0

/* Between two looks at the operator's files.  Not inotify, which tells nothing
 * of network file systems, nor of a name that leads through symbolic links. */
#define WATCH_SECONDS 2.0

#define ANNOUNCE_SECONDS 1.0

static void
kill_all(struct master *m)
{
    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->pid > 0)
            kill(c->pid, SIGKILL);
}

static void
on_kill(struct ev_loop *loop, ev_timer *timer, int ready)
{
    (void)loop;
    (void)ready;
    kill_all(timer->data);
}

/* When the workers are gone, the others are not needed. */
static void
advance_stop(struct master *m)
{
    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->kind == PROCESS_WORKER && c->pid > 0)
            return;
    children_dismiss(m);
    if (m->children == NULL)
        ev_break(m->loop, EVBREAK_ALL);
}

static void
stop(struct master *m)
{
    double drain = m->site->settings->timers.drain;
    const struct message message = {.kind = MESSAGE_STOP, .seconds = drain};

    m->stopping = true;
    (void)notify_stopping();
    ev_timer_stop(m->loop, &m->watchdog);
    ev_timer_stop(m->loop, &m->announce);
    for (int crew = 0; crew < CREW_COUNT; crew++) {
        struct rotation *rotation = &m->rotations[crew];

        /* New connections are refused. */
        if (m->site->editions[crew] != NULL)
            sockets_close(&m->site->editions[crew]->sockets);
        if (rotation->next != NULL)
            sockets_close(&rotation->next->sockets);
        if (rotation->old != NULL)
            sockets_close(&rotation->old->sockets);
    }
    sockets_close(&m->site->http);
    ev_timer_stop(m->loop, &m->renew);
    ev_timer_stop(m->loop, &m->watch);
    ev_timer_set(&m->kill, drain + GRACE_SECONDS, 0);
    ev_timer_start(m->loop, &m->kill);
    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->kind == PROCESS_WORKER && c->pid > 0)
            (void)channel_send(c->channel, &message, -1);
    advance_stop(m);
}

void
master_fail_start(struct master *m)
{
    m->status = EXIT_FAILURE;
    if (!m->stopping)
        stop(m);
}

static void
say_serving(struct master *m)
{
    const struct edition *table = m->site->editions[CREW_TEST];
    const struct edition *configured = m->site->editions[CREW_CONFIGURED];

    m->serving = true;
    if (configured != NULL)
        log_info("Serving %zu configured ports", configured->layout.count);
    if (table != NULL)
        log_info("Serving requests on base port %u", table->layout.base);
    master_tell_systemd(m);
}

void
master_tell_systemd(struct master *m)
{
    const struct edition *table = m->site->editions[CREW_TEST];
    const struct edition *configured = m->site->editions[CREW_CONFIGURED];
    const char *error = m->chart.reloads.error;
    char status[96 + sizeof m->chart.reloads.error];

    snprintf(status, sizeof status, "%zu test ports, %zu configured ports%s%s",
             table == NULL ? 0 : table->layout.count,
             configured == NULL ? 0 : configured->layout.count,
             *error != '\0' ? "; not reloaded: " : "", error);
    /* Once more if its queue is full: it would wait for us in vain. */
    ev_timer_stop(m->loop, &m->announce);
    if (!notify_ready(status))
        ev_timer_start(m->loop, &m->announce);
}

static void
on_announce(struct ev_loop *loop, ev_timer *timer, int ready)
{
    (void)loop;
    (void)ready;
    master_tell_systemd(timer->data);
}

static bool
all_are_ready(const struct master *m)
{
    for (const struct child *c = m->children; c != NULL; c = c->next)
        if (!c->ready)
            return false;
    return true;
}

void
master_advance(struct master *m)
{
    if (m->stopping) {
        advance_stop(m);
        return;
    }
    if (!m->serving && all_are_ready(m))
        say_serving(m);
    rotation_advance(m);
}

static void
on_stop_signal(struct ev_loop *loop, ev_signal *watcher, int ready)
{
    struct master *m = watcher->data;

    (void)loop;
    (void)ready;
    if (m->stopping) {
        log_warning("second signal %d: not waiting any longer",
                    watcher->signum);
        kill_all(m);
        return;
    }
    log_info("stopping: %s", strsignal(watcher->signum));
    stop(m);
}

static bool
has_trusted(const struct master *m)
{
    const struct edition *table = m->site->editions[CREW_TEST];

    return table != NULL && table->trusted != NULL;
}

static void
on_hangup(struct ev_loop *loop, ev_signal *watcher, int ready)
{
    struct master *m = watcher->data;

    (void)loop;
    (void)ready;
    if (m->stopping)
        return;
    if (has_trusted(m))
        rotation_reload_trusted(m);
    if (!has_trusted(m) || m->site->editions[CREW_CONFIGURED] != NULL)
        rotation_reload(m, RELOAD_ALL);
}

static void
on_renew(struct ev_loop *loop, ev_timer *timer, int ready)
{
    (void)loop;
    (void)ready;
    rotation_renew(timer->data);
}

/* A change counts once it has stood for two looks: who replaces a chain and its
 * key needs a moment for both. */
static bool
has_changed(const struct config *config, struct watched *watched)
{
    struct operator_signature now = operator_files_signature(config);
    bool settled = now.hash == watched->glance.hash;

    watched->glance = now;
    if (now.hash == watched->files.hash || !settled)
        return false;
    watched->files = now;
    log_info("certificate files have changed");
    return true;
}

/* A reload under way may be bringing the change. */
static void
on_watch(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct master *m = timer->data;
    const struct edition *table = m->site->editions[CREW_TEST];
    const struct edition *configured = m->site->editions[CREW_CONFIGURED];

    (void)loop;
    (void)ready;
    if (configured != NULL
        && m->rotations[CREW_CONFIGURED].step == ROTATION_NONE
        && has_changed(configured->config, &m->configured))
        rotation_reload(m, RELOAD_FILES);
    if (has_trusted(m) && m->rotations[CREW_TEST].step == ROTATION_NONE
        && has_changed(table->trusted, &m->trusted))
        rotation_reload_trusted(m);
}

/* True if what it said waits to be read: we are late, not it. */
static bool
has_spoken(const struct child *child)
{
    char byte;

    return recv(child->channel, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Alive means that the processes that serve answer too. */
static void
on_watchdog(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct master *m = timer->data;
    bool healthy = true;

    (void)ready;
    /* From now on: turns that were missed must not follow at once, without
     * time for an answer. */
    ev_now_update(loop);
    ev_timer_again(loop, timer);
    for (struct child *c = m->children; c != NULL; c = c->next) {
        if ((c->kind != PROCESS_WORKER && c->kind != PROCESS_CONTROL)
            || c->role == ROLE_OLD || c->pid == 0 || !c->ready
            || (c->unanswered && has_spoken(c)))
            continue;
        if (c->unanswered) {
            log_error("%s %d (pid %d) does not answer", process_names[c->kind],
                      c->index, (int)c->pid);
            healthy = false;
        } else {
            c->unanswered = channel_say(c->channel, MESSAGE_PING) == 0;
        }
    }
    if (healthy)
        (void)notify_watchdog();
}

/* What came earlier was held by main(). */
static void
let_hangups_through(void)
{
    sigset_t hangup;

    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &hangup, NULL);
}

/* Look at the configuration's files from now on. */
static void
watch(struct master *m, const struct config *config, struct watched *watched)
{
    watched->files = watched->glance = operator_files_signature(config);
    ev_timer_start(m->loop, &m->watch);
}

static void
start_watchers(struct master *m)
{
    const struct site *site = m->site;

    ev_signal_init(&m->terminate, on_stop_signal, SIGTERM);
    ev_signal_init(&m->interrupt, on_stop_signal, SIGINT);
    ev_signal_init(&m->hangup, on_hangup, SIGHUP);
    ev_timer_init(&m->kill, on_kill, 0, 0);
    ev_timer_init(&m->renew, on_renew, rotation_renew_in(m), 0);
    ev_timer_init(&m->watch, on_watch, WATCH_SECONDS, WATCH_SECONDS);
    m->terminate.data = m->interrupt.data = m->hangup.data = m;
    ev_timer_init(&m->watchdog, on_watchdog, 0, notify_watchdog_seconds() / 2);
    ev_timer_init(&m->announce, on_announce, ANNOUNCE_SECONDS, 0);
    m->announce.data = m;
    m->kill.data = m->renew.data = m->watch.data = m->watchdog.data = m;
    if (notify_watchdog_seconds() > 0)
        ev_timer_start(m->loop, &m->watchdog);
    ev_signal_start(m->loop, &m->terminate);
    ev_signal_start(m->loop, &m->interrupt);
    ev_signal_start(m->loop, &m->hangup);
    let_hangups_through();
    if (site->settings->renew_after > 0 && site->editions[CREW_TEST] != NULL)
        ev_timer_start(m->loop, &m->renew);
    if (site->editions[CREW_CONFIGURED] != NULL)
        watch(m, site->editions[CREW_CONFIGURED]->config, &m->configured);
    if (has_trusted(m))
        watch(m, site->editions[CREW_TEST]->trusted, &m->trusted);
}

static int
start_children(struct master *m)
{
    struct site *site = m->site;

    for (int crew = 0; crew < CREW_COUNT; crew++)
        if (site->editions[crew] != NULL)
            chart_enter(&m->chart, site->editions[crew], site->settings);
    if (site->simulator != -1
        && children_add(m, PROCESS_SIMULATOR, CREW_TEST, 0) == NULL)
        return -1;
    if (!m->stopping && children_add(m, PROCESS_CONTROL, CREW_TEST, 0) == NULL)
        return -1;
    for (int crew = 0; crew < CREW_COUNT && !m->stopping; crew++)
        if (site->editions[crew] != NULL
            && (rotation_start_resolver(m, crew) == -1
                || children_add_workers(m, site->editions[crew], ROLE_CURRENT)
                       == -1))
            return -1;
    return 0;
}

int
master_run(struct site *site)
{
    static struct master master; /* the chart is big */
    struct master *m = &master;

    *m = (struct master){.site = site, .loop = ev_default_loop(0)};
    if (m->loop == NULL) {
        log_error("cannot make an event loop");
        return EXIT_FAILURE;
    }
    start_watchers(m);
    if (start_children(m) == -1)
        master_fail_start(m);
    if (m->children != NULL)
        ev_run(m->loop, 0);
    /* Stopping the watchers would bring back the default, which kills: one
     * signal more at this moment must not change the exit status. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    ev_loop_destroy(m->loop);
    for (int crew = 0; crew < CREW_COUNT; crew++) {
        edition_free(m->rotations[crew].next);
        edition_free(m->rotations[crew].old);
    }
    return m->status;
}
