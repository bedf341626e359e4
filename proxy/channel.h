/*
 * channel.h - short messages between the master and a child
 *
 * A pair of SOCK_SEQPACKET sockets: a message arrives whole or not at all, with
 * a descriptor attached or none.  End of file means that the other side is
 * gone.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef PROXY_CHANNEL_H
#define PROXY_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/backend.h"

enum message_kind {
    MESSAGE_NONE,     /* nothing to read yet */
    MESSAGE_GONE,     /* the other side has closed */
    MESSAGE_READY,    /* child: I serve; checker: there is nothing wrong */
    MESSAGE_CLOSED,   /* worker: I accept no more */
    MESSAGE_FAILED,   /* checker: what is wrong, in text */
    MESSAGE_STOP,     /* master: finish within the seconds, then exit */
    MESSAGE_DRAIN,    /* master: accept no more, exit when all have closed */
    MESSAGE_STORE,    /* master to control: new certificates, as a memfd */
    MESSAGE_CHART,    /* master to control: what is open now, as a memfd */
    MESSAGE_RESOLVED, /* resolver to master to workers: addresses */
    MESSAGE_PING,     /* master to a worker: are you alive? */
    MESSAGE_PONG,     /* it is */
};

struct message {
    enum message_kind kind;
    double seconds;   /* of MESSAGE_STOP */
    uint16_t backend; /* of MESSAGE_RESOLVED: which of the edition's */
    int count;
    struct net_address addresses[BACKEND_ADDRESSES_MAX];
    char text[512]; /* of MESSAGE_FAILED */
};

/* A connected pair, close-on-exec and non-blocking; -1 with errno set. */
int channel_pair(int pair[2]);

/* Send message, with a copy of descriptor fd unless that is -1.  Returns 0, or
 * -1 with errno set. */
int channel_send(int channel, const struct message *message, int fd);

/* The same without a descriptor; waits while the channel is full, for who has
 * nothing else to do. */
int channel_push(int channel, const struct message *message);

/* The same for where the backend of that index is: MESSAGE_RESOLVED. */
int
channel_push_backend(int channel, size_t index, const struct backend *backend);

/* Send a message that is nothing but its kind.  Returns as above. */
int channel_say(int channel, enum message_kind kind);

/*
 * Receive a message; returns its kind.  *fd is the descriptor that came with
 * it, now the caller's, or -1.  What is no whole message is none.
 */
enum message_kind
channel_receive(int channel, struct message *message, int *fd);

#endif
