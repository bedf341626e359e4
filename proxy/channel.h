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

enum message {
    MESSAGE_NONE,   /* nothing to read yet */
    MESSAGE_GONE,   /* the other side has closed */
    MESSAGE_READY,  /* child: I serve */
    MESSAGE_CLOSED, /* worker: I accept no more */
    MESSAGE_STOP,   /* master: finish within the drain time, then exit */
    MESSAGE_DRAIN,  /* master: accept no more, exit when all have closed */
    MESSAGE_STORE,  /* master to control: new certificates, as a memfd */
};

/* A connected pair, close-on-exec and non-blocking; -1 with errno set. */
int channel_pair(int pair[2]);

/* Send message, with a copy of descriptor fd unless that is -1.  Returns 0, or
 * -1 with errno set. */
int channel_send(int channel, enum message message, int fd);

/* Receive a message.  *fd is the descriptor that came with it, now the
 * caller's, or -1. */
enum message channel_receive(int channel, int *fd);

#endif
