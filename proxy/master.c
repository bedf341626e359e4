/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/master.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/channel.h"
#include "proxy/child.h"
#include "proxy/parcel.h"
#include "proxy/state.h"

/* A process that dies sooner than this after its start is restarted with a
 * pause, so that one that cannot live does not eat a CPU. */
#define YOUNG_SECONDS   1.0
#define RESTART_SECONDS 0.5

/* What a process may take to end once it should, beyond the drain time. */
#define GRACE_SECONDS 2.0

#define RENEW_RETRY_SECONDS 3600.0

/* Renewals that open connections may outlive. */
#define OLD_GENERATIONS_MAX 4

/* Certificates are renewed in steps, so that a file that a client has fetched
 * is never older than the certificate that it is shown next. */
enum renewal {
    RENEWAL_NONE,
    RENEWAL_STARTING, /* workers with the new certificates */
    RENEWAL_CLOSING,  /* the old workers' listening sockets */
};

struct child {
    struct child *next;
    struct master *master;
    struct process_slot *slot;
    enum process_kind kind;
    int index;
    unsigned generation; /* workers: which issue of the certificates */
    unsigned restarts;
    pid_t pid; /* 0: waits to be restarted */
    int channel;
    bool ready;    /* it serves, or accepts if it is a worker */
    bool retiring; /* a worker that a newer one replaces */
    double started;
    ev_child exited;
    ev_io message;
    ev_timer restart;
};

struct master {
    struct site *site;
    struct ev_loop *loop;
    struct child *children;
    unsigned generation;
    bool serving; /* everything was ready once */
    enum renewal renewal;
    bool stopping; /* workers first, then the others */
    int status;
    ev_signal terminate, interrupt;
    ev_timer kill;
    ev_timer renew;
};

static void start(struct child *child);
static void advance_stop(struct master *m);

/* The one place that frees a child, whose process is gone. */
static void
child_free(struct child *child)
{
    struct master *m = child->master;
    struct child **at = &m->children;

    while (*at != child)
        at = &(*at)->next;
    *at = child->next;
    ev_timer_stop(m->loop, &child->restart);
    free(child);
}

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

static void
stop(struct master *m)
{
    double drain = m->site->settings->timers.drain;

    m->stopping = true;
    sockets_close(&m->site->sockets); /* new connections are refused */
    ev_timer_stop(m->loop, &m->renew);
    ev_timer_set(&m->kill, drain + GRACE_SECONDS, 0);
    ev_timer_start(m->loop, &m->kill);
    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->kind == PROCESS_WORKER && c->pid > 0)
            (void)channel_send(c->channel, MESSAGE_STOP, -1);
    advance_stop(m);
}

/* A process cannot be had, and nothing was served yet: give up. */
static void
fail_start(struct master *m)
{
    m->status = EXIT_FAILURE;
    if (!m->stopping)
        stop(m);
}

static void
say_serving(struct master *m)
{
    const struct layout *layout = &m->site->layout;

    m->serving = true;
    log_info("Serving requests on base port %u", layout->base);
}

/* True if all children that are, or are not, retiring are ready, or not. */
static bool
all_are(const struct master *m, bool retiring, bool ready)
{
    for (const struct child *c = m->children; c != NULL; c = c->next)
        if (c->retiring == retiring && c->ready != ready)
            return false;
    return true;
}

static void
drain_retiring(struct master *m)
{
    for (struct child *c = m->children; c != NULL; c = c->next) {
        if (!c->retiring)
            continue;
        (void)channel_send(c->channel, MESSAGE_DRAIN, -1);
        if (m->generation - c->generation > OLD_GENERATIONS_MAX)
            (void)channel_send(c->channel, MESSAGE_STOP, -1);
    }
}

static void
switch_files(struct master *m)
{
    int fd = parcel_make(m->site->certs);

    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->kind == PROCESS_CONTROL && c->pid > 0
            && channel_send(c->channel, MESSAGE_STORE, fd) == -1)
            log_errno("cannot pass the renewed certificates on");
    net_close(&fd);
    log_info("generated certificates renewed");
    count(&m->site->board->renewals, 1);
}

static void
advance_renewal(struct master *m)
{
    if (m->renewal == RENEWAL_STARTING && all_are(m, false, true)) {
        drain_retiring(m);
        m->renewal = RENEWAL_CLOSING;
    }
    if (m->renewal == RENEWAL_CLOSING && all_are(m, true, false)) {
        switch_files(m);
        m->renewal = RENEWAL_NONE;
    }
}

static void
child_is_ready(struct child *child, bool ready)
{
    struct master *m = child->master;

    child->ready = ready;
    if (m->stopping)
        return;
    if (!m->serving && all_are(m, false, true))
        say_serving(m);
    advance_renewal(m);
}

static void
on_message(struct ev_loop *loop, ev_io *io, int ready)
{
    struct child *child = io->data;
    int fd;

    (void)ready;
    switch (channel_receive(io->fd, &fd)) {
    case MESSAGE_READY:
        child_is_ready(child, true);
        break;
    case MESSAGE_CLOSED:
        child_is_ready(child, false);
        break;
    case MESSAGE_GONE:
        ev_io_stop(loop, io); /* on_exit() says the rest */
        break;
    case MESSAGE_NONE:
    case MESSAGE_STOP:
    case MESSAGE_DRAIN:
    case MESSAGE_STORE:
        break;
    }
    net_close(&fd);
}

static void
exit_text(int status, char out[64])
{
    if (WIFSIGNALED(status))
        snprintf(out, 64, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(out, 64, "ended with status %d", WEXITSTATUS(status));
}

static void
replace(struct child *child, int status)
{
    struct master *m = child->master;
    double lived = ev_now(m->loop) - child->started;
    char how[64];

    exit_text(status, how);
    log_warning("%s %d (pid %d) %s: starting another",
                process_names[child->kind], child->index,
                (int)child->exited.pid, how);
    child->restarts++;
    ev_timer_set(&child->restart, lived < YOUNG_SECONDS ? RESTART_SECONDS : 0,
                 0);
    ev_timer_start(m->loop, &child->restart);
}

static void
on_exit_status(struct ev_loop *loop, ev_child *watcher, int ready)
{
    struct child *child = watcher->data;
    struct master *m = child->master;
    char how[64];

    (void)ready;
    ev_child_stop(loop, watcher);
    ev_io_stop(loop, &child->message);
    net_close(&child->channel);
    board_release(m->site->board, child->slot);
    child->slot = NULL;
    child->pid = 0;
    child->ready = false;
    if (m->stopping) {
        child_free(child);
        advance_stop(m);
    } else if (child->retiring) {
        child_free(child);
        advance_renewal(m);
    } else if (!m->serving) {
        exit_text(watcher->rstatus, how);
        log_error("%s %d %s before it could serve", process_names[child->kind],
                  child->index, how);
        child_free(child);
        fail_start(m);
    } else {
        replace(child, watcher->rstatus);
    }
}

static void
on_restart(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct child *child = timer->data;

    (void)loop;
    (void)ready;
    if (!child->master->stopping)
        start(child);
}

/* Try again later, or give up if this is the beginning. */
static void
start_failed(struct child *child)
{
    struct master *m = child->master;

    log_errno("cannot start %s %d", process_names[child->kind], child->index);
    if (child->slot != NULL)
        board_release(m->site->board, child->slot);
    child->slot = NULL;
    net_close(&child->channel);
    if (!m->serving) {
        fail_start(m);
        return;
    }
    ev_timer_set(&child->restart, RESTART_SECONDS, 0);
    ev_timer_start(m->loop, &child->restart);
}

static void
start(struct child *child)
{
    struct master *m = child->master;
    int pair[2] = {-1, -1};

    errno = EAGAIN;
    child->slot = board_take(m->site->board, child->kind, child->index);
    if (child->slot == NULL || channel_pair(pair) == -1) {
        start_failed(child);
        return;
    }
    child->slot->restarts = child->restarts;
    child->channel = pair[0];
    child->pid = child_start(m->site, child->slot, pair[1]);
    net_close(&pair[1]);
    if (child->pid == -1) {
        child->pid = 0;
        start_failed(child);
        return;
    }
    child->started = ev_time();
    /* The simulator's socket listens already; it has nothing else to say. */
    child->ready = child->kind == PROCESS_SIMULATOR;
    ev_child_init(&child->exited, on_exit_status, child->pid, 0);
    ev_io_init(&child->message, on_message, child->channel, EV_READ);
    child->exited.data = child->message.data = child;
    ev_child_start(m->loop, &child->exited);
    ev_io_start(m->loop, &child->message);
}

static int
add_child(struct master *m, enum process_kind kind, int index)
{
    struct child *child = calloc(1, sizeof *child);

    if (child == NULL)
        return -1;
    child->master = m;
    child->kind = kind;
    child->index = index;
    child->generation = m->generation;
    child->channel = -1;
    ev_timer_init(&child->restart, on_restart, 0, 0);
    child->restart.data = child;
    child->next = m->children;
    m->children = child;
    start(child);
    return 0;
}

static int
add_workers(struct master *m)
{
    for (int i = 0; i < m->site->settings->workers && !m->stopping; i++)
        if (add_child(m, PROCESS_WORKER, i) == -1)
            return -1;
    return 0;
}

/* When the workers are gone, the simulator and control are not needed. */
static void
advance_stop(struct master *m)
{
    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->kind == PROCESS_WORKER && c->pid > 0)
            return;
    for (struct child *c = m->children, *next; c != NULL; c = next) {
        next = c->next;
        if (c->pid == 0) {
            child_free(c); /* it waited for its restart */
            continue;
        }
        ev_io_stop(m->loop, &c->message);
        net_close(&c->channel);
    }
    if (m->children == NULL)
        ev_break(m->loop, EVBREAK_ALL);
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

static double
renew_in(const struct master *m)
{
    const struct settings *settings = m->site->settings;

    return state_renew_in(settings->state, m->site->certs,
                          settings->renew_after);
}

static void
on_renew(struct ev_loop *loop, ev_timer *timer, int ready)
{
    struct master *m = timer->data;

    (void)ready;
    timer->repeat = m->site->settings->renew_after;
    if (state_renew(m->site->settings->state, m->site->certs) == -1) {
        if (timer->repeat > RENEW_RETRY_SECONDS)
            timer->repeat = RENEW_RETRY_SECONDS;
        ev_timer_again(loop, timer);
        return;
    }
    timer->repeat = renew_in(m);
    ev_timer_again(loop, timer);
    m->generation++;
    m->renewal = RENEWAL_STARTING;
    for (struct child *c = m->children, *next; c != NULL; c = next) {
        next = c->next;
        if (c->kind != PROCESS_WORKER)
            continue;
        c->retiring = true;
        if (c->pid == 0)
            child_free(c); /* it waits for its restart: it has a successor */
    }
    if (add_workers(m) == -1)
        log_error("no memory to renew the certificates");
}

static void
watch_signals(struct master *m)
{
    ev_signal_init(&m->terminate, on_stop_signal, SIGTERM);
    ev_signal_init(&m->interrupt, on_stop_signal, SIGINT);
    m->terminate.data = m->interrupt.data = m;
    ev_signal_start(m->loop, &m->terminate);
    ev_signal_start(m->loop, &m->interrupt);
}

int
master_run(struct site *site)
{
    struct master m = {.site = site, .loop = ev_default_loop(0)};

    if (m.loop == NULL) {
        log_error("cannot make an event loop");
        return EXIT_FAILURE;
    }
    watch_signals(&m);
    ev_timer_init(&m.kill, on_kill, 0, 0);
    ev_timer_init(&m.renew, on_renew, renew_in(&m), 0);
    m.kill.data = m.renew.data = &m;
    if (site->settings->renew_after > 0)
        ev_timer_start(m.loop, &m.renew);
    if ((site->simulator != -1 && add_child(&m, PROCESS_SIMULATOR, 0) == -1)
        || (!m.stopping && add_child(&m, PROCESS_CONTROL, 0) == -1)
        || add_workers(&m) == -1)
        fail_start(&m);
    if (m.children != NULL)
        ev_run(m.loop, 0);
    /* Stopping the watchers would bring back the default, which kills: one
     * signal more at this moment must not change the exit status. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    ev_loop_destroy(m.loop);
    return m.status;
}
