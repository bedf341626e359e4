/*
 * faults.h - make the nth call of a kind go wrong
 *
 * Linked with -Wl,--wrap for each function below, so that the product's own
 * objects call us; OpenSSL's allocations come through its own hooks.  Only the
 * thread that armed a fault sees it: the test's clients run in another.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef CHAOS_FAULTS_H
#define CHAOS_FAULTS_H

#include <stdbool.h>

enum fault {
    FAULT_NONE,
    FAULT_ALLOC,     /* nth malloc() or calloc() of ours returns NULL */
    FAULT_TLS_ALLOC, /* nth allocation of OpenSSL returns NULL */
    FAULT_SHORT,     /* every recv() and send() moves one byte */
    FAULT_EINTR,     /* every other call is interrupted */
    FAULT_EAGAIN,    /* three of four recv() and send() are not ready */
    FAULT_ACCEPT,    /* nth accept4() fails with `error` */
    FAULT_SOCKET,    /* nth socket() fails with `error` */
    FAULT_CONNECT,   /* nth connect() fails with `error` */
    FAULT_RECV,      /* nth recv() fails with `error` */
    FAULT_SEND,      /* nth send() fails with `error` */
};

/* Hook OpenSSL's allocator; before any other call to OpenSSL. */
bool faults_setup(void);

/* From now on, in this thread. */
void faults_arm(enum fault fault, unsigned nth, int error);

/* No more faults.  Returns whether the nth call was reached. */
bool faults_disarm(void);

#endif
