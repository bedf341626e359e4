/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/held.h"

#include <stdlib.h>
#include <sys/epoll.h>

/* Ends that are read in one turn. */
#define ENDS_TURN 16

static void
end(struct held *held)
{
    struct holding *all = held->all;
    void *request = held->request;

    ev_timer_stop(all->loop, &held->timer);
    (void)epoll_ctl(all->epoll, EPOLL_CTL_DEL, held->fd, NULL);
    free(held->wanted);
    held->wanted = held->request = NULL;
    all->count--;
    all->over(request);
}

static void
on_time(struct ev_loop *loop, ev_timer *timer, int ready)
{
    (void)loop;
    (void)ready;
    end(timer->data);
}

static void
on_ends(struct ev_loop *loop, ev_io *io, int ready)
{
    struct holding *all = io->data;
    struct epoll_event events[ENDS_TURN];
    int n = epoll_wait(all->epoll, events, ENDS_TURN, 0);

    (void)loop;
    (void)ready;
    for (int i = 0; i < n; i++)
        end(events[i].data.ptr);
}

int
holding_open(struct holding *all, struct ev_loop *loop, size_t most,
             held_over *over)
{
    *all = (struct holding){
        .loop = loop,
        .over = over,
        .most = most < HELD_MOST ? most : HELD_MOST,
        .epoll = epoll_create1(EPOLL_CLOEXEC),
    };
    if (all->epoll == -1)
        return -1;
    ev_io_init(&all->ends, on_ends, all->epoll, EV_READ);
    all->ends.data = all;
    ev_io_start(loop, &all->ends);
    return 0;
}

static struct client
who(const struct net_address *address)
{
    struct client client = client_of(address);

    return client_network(&client);
}

bool
holding_has_place(const struct holding *all, const struct net_address *address)
{
    struct client client = who(address);
    size_t same = 0;

    if (all->count == 0)
        return all->most > 0;
    for (size_t i = 0; i < HELD_MOST; i++)
        same += all->places[i].request != NULL
                && client_equal(&all->places[i].client, &client);
    return all->count < all->most && same < HELD_OF_CLIENT;
}

static struct held *
free_place(struct holding *all)
{
    for (size_t i = 0; i < HELD_MOST; i++)
        if (all->places[i].request == NULL)
            return &all->places[i];
    return NULL;
}

bool
holding_begin(struct holding *all, void *request, int fd,
              const struct net_address *client, double seconds, void *wanted)
{
    struct held *held = holding_has_place(all, client) ? free_place(all) : NULL;
    /* Bytes that a client sends ahead would hide its end behind them. */
    struct epoll_event ends = {.events = EPOLLRDHUP, .data.ptr = held};

    if (held == NULL || epoll_ctl(all->epoll, EPOLL_CTL_ADD, fd, &ends) == -1) {
        free(wanted);
        return false;
    }
    *held = (struct held){.all = all,
                          .fd = fd,
                          .client = who(client),
                          .wanted = wanted,
                          .request = request};
    ev_timer_init(&held->timer, on_time, seconds, 0);
    held->timer.data = held;
    ev_now_update(all->loop);
    ev_timer_start(all->loop, &held->timer);
    all->count++;
    return true;
}

void
holding_wake(struct holding *all, held_wants *wants, const void *news)
{
    for (size_t i = 0; i < HELD_MOST && all->count > 0; i++) {
        struct held *held = &all->places[i];

        if (held->request != NULL
            && (wants == NULL || wants(held->wanted, news)))
            end(held);
    }
}

void
holding_close(struct holding *all)
{
    if (all->loop == NULL)
        return;
    ev_io_stop(all->loop, &all->ends);
    net_close(&all->epoll);
}
