/*
 * outbox.h - events on their way from a worker to control
 *
 * Packed, and gathered while the worker is busy, so that a connection costs
 * neither a system call nor a wakeup of its own.  Nothing here waits: what the
 * channel does not take is dropped and counted.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_OUTBOX_H
#define PROXY_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/event.h"

/* The most that one message holds: many events, and one at its longest. */
#define OUTBOX_MESSAGE_MAX (16 * 1024)

struct outbox {
    int channel; /* SOCK_SEQPACKET; not owned */
    unsigned events;
    size_t length;
    uint8_t message[OUTBOX_MESSAGE_MAX];
};

/* Add an event, of which nothing is kept; a full message is sent first.
 * Returns how many were lost. */
unsigned outbox_add(struct outbox *outbox, const struct event *event);

/* Send what was gathered; call it before the worker sleeps.  Returns how many
 * were lost. */
unsigned outbox_send(struct outbox *outbox);

/*
 * Take the first event off a message that control received, of *length bytes.
 * False if there is none, or if the bytes are none: *length is then 0.  No text
 * is copied: the event is valid as long as the message's bytes are.
 */
bool outbox_take(const uint8_t **bytes, size_t *length, struct event *event);

#endif
