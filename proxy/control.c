/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/control.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "proxy/bindings.h"
#include "proxy/channel.h"
#include "proxy/confine.h"
#include "proxy/http.h"
#include "proxy/journal.h"
#include "proxy/outbox.h"
#include "proxy/parcel.h"
#include "proxy/records.h"
#include "proxy/routes.h"

/* Messages read in one turn: HTTP must not starve behind them, nor they behind
 * all the requests that libmicrohttpd answers in one of its own. */
#define EVENT_TURN 64

struct control {
    const struct control_task *task;
    struct ev_loop *loop;
    struct routes_context routes;
    struct chart *chart;
    struct store *store;
    struct bindings *bindings;
    struct records *records;
    struct http *http;
    ev_io channel;
    ev_io *events;
};

static void
take_event(struct control *control, const struct event *event,
           struct slice packed)
{
    const struct chart_port *port;
    const struct port_policy *row;

    if (event->port >= PORTS_MAX)
        return;
    port = &control->chart->ports[event->port];
    /* An operator's port may have the name of a row that is not open. */
    row = port->crew == CREW_TEST ? port_find(port->name) : NULL;
    journal_write(event, port->name, row);
    records_add(control->records, event, packed, port->name, row);
}

/* Read a message of events; false if there is none. */
static bool
read_events(struct control *control, int fd)
{
    static uint8_t message[OUTBOX_MESSAGE_MAX];
    const uint8_t *at = message;
    struct event event;
    ssize_t n = recv(fd, message, sizeof message, MSG_DONTWAIT);
    size_t length = n > 0 ? (size_t)n : 0;

    if (n == -1)
        return errno == EINTR;
    while (length > 0) {
        struct slice packed = {at, length};

        if (!outbox_take(&at, &length, &event))
            break;
        packed.length -= length;
        take_event(control, &event, packed);
    }
    return n > 0;
}

/* A record is new, or has changed: somebody may have waited for it. */
static void
on_record(void *context, const struct record *record)
{
    struct control *control = context;

    if (control->http != NULL)
        http_wake(control->http, routes_wants, record);
}

static void
on_event(struct ev_loop *loop, ev_io *io, int ready)
{
    (void)loop;
    (void)ready;
    for (int i = 0; i < EVENT_TURN; i++)
        if (!read_events(io->data, io->fd))
            return;
}

/* The certificates were renewed: serve the new files from now on. */
static void
take_store(struct control *control, int fd)
{
    struct store *store = parcel_open(fd);

    if (store == NULL)
        return;
    store_free(control->store);
    control->store = store;
    control->routes.store = store;
}

static void
on_message(struct ev_loop *loop, ev_io *io, int ready)
{
    struct control *control = io->data;
    struct message message;
    int fd;

    (void)ready;
    switch (channel_receive(io->fd, &message, &fd)) {
    case MESSAGE_STORE:
        take_store(control, fd);
        break;
    case MESSAGE_CHART:
        (void)chart_unpack(control->chart, fd);
        break;
    case MESSAGE_PING:
        (void)channel_say(io->fd, MESSAGE_PONG);
        break;
    case MESSAGE_STOP:
    case MESSAGE_DRAIN:
    case MESSAGE_GONE:
        ev_break(loop, EVBREAK_ALL);
        break;
    case MESSAGE_NONE:
    case MESSAGE_READY:
    case MESSAGE_CLOSED:
    case MESSAGE_FAILED:
    case MESSAGE_RESOLVED:
    case MESSAGE_PONG:
        break;
    }
    net_close(&fd);
}

static void
watch(struct control *control)
{
    const struct control_task *task = control->task;

    ev_io_init(&control->channel, on_message, task->channel, EV_READ);
    control->channel.data = control;
    ev_io_start(control->loop, &control->channel);
    for (size_t i = 0; i < task->event_count; i++) {
        ev_io_init(&control->events[i], on_event, task->events[i], EV_READ);
        control->events[i].data = control;
        ev_io_start(control->loop, &control->events[i]);
    }
}

static struct http *
start_http(struct control *control)
{
    const struct http_task task = {
        .loop = control->loop,
        .fds = control->task->http,
        .fd_count = control->task->http_count,
        .most = control->task->settings->http_connections,
        .handler = routes_answer,
        .context = &control->routes,
    };

    return http_new(&task);
}

static bool
listens_elsewhere(const struct control_task *task)
{
    for (size_t i = 0; i < task->http_count; i++) {
        struct net_address address = {.length = sizeof address.sa};

        if (getsockname(task->http[i], &address.sa.any, &address.length) == -1
            || !net_is_loopback(&address))
            return true;
    }
    return false;
}

static int
start_records(struct control *control)
{
    control->bindings = bindings_new();
    if (control->bindings == NULL)
        return -1;
    control->records =
        records_new(control->task->settings->history, control->bindings);
    if (control->records == NULL)
        return -1;
    records_watch(control->records, on_record, control);
    control->routes.bindings = control->bindings;
    control->routes.records = control->records;
    control->routes.started = ev_time();
    control->routes.exposed = listens_elsewhere(control->task);
    return 0;
}

int
control_run(const struct control_task *task)
{
    struct control control = {
        .task = task,
        .loop = ev_default_loop(0),
        .store = task->store,
        .routes = {.settings = task->settings,
                   .board = task->board,
                   .store = task->store},
    };
    int status = EXIT_FAILURE;

    control.events = calloc(task->event_count, sizeof *control.events);
    control.chart = malloc(sizeof *control.chart);
    if (control.events == NULL || control.chart == NULL)
        goto done;
    *control.chart = *task->chart;
    control.routes.chart = control.chart;
    if (start_records(&control) == -1)
        goto done;
    control.http = start_http(&control);
    if (control.http == NULL)
        goto done;
    control.routes.http = http_counters(control.http);
    watch(&control);
    if (confine(SANDBOX_CONTROL, NULL, task->slot) == -1
        || channel_say(task->channel, MESSAGE_READY) == -1)
        goto done;
    ev_run(control.loop, 0);
    /* The workers are gone; their last words are not to be lost. */
    for (size_t i = 0; i < task->event_count; i++)
        while (read_events(&control, task->events[i]))
            continue;
    status = EXIT_SUCCESS;

done:
    http_free(control.http);
    records_free(control.records);
    bindings_free(control.bindings);
    free(control.events);
    free(control.chart);
    store_free(control.store);
    return status;
}
