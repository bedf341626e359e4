/* SPDX-License-Identifier: MPL-2.0 */
#include "faults.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/socket.h>

static _Thread_local struct {
    enum fault fault;
    unsigned nth;
    unsigned calls;
    int error;
    bool hit;
} armed;

/* The linker's names for what is wrapped. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
int __real_accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags);
int __real_socket(int domain, int type, int protocol);
int __real_connect(int fd, const struct sockaddr *to, socklen_t length);
ssize_t __real_recv(int fd, void *bytes, size_t length, int flags);
ssize_t __real_send(int fd, const void *bytes, size_t length, int flags);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t length);
ssize_t __wrap_recv(int fd, void *bytes, size_t length, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t length, int flags);

/* True if this call is the one that shall fail. */
static bool
strikes(enum fault fault)
{
    if (armed.fault != fault || ++armed.calls != armed.nth)
        return false;
    armed.hit = true;
    errno = armed.error;
    return true;
}

/* True if this call shall find the socket busy, for the moment. */
static bool
is_busy(void)
{
    if (armed.fault == FAULT_EINTR && armed.calls++ % 2 == 0) {
        armed.hit = true;
        errno = EINTR;
        return true;
    }
    if (armed.fault == FAULT_EAGAIN && armed.calls++ % 4 != 3) {
        armed.hit = true;
        errno = EAGAIN;
        return true;
    }
    return false;
}

static size_t
shortened(size_t length)
{
    if (armed.fault != FAULT_SHORT || length < 2)
        return length;
    armed.hit = true;
    return 1;
}

void *
__wrap_malloc(size_t size)
{
    return strikes(FAULT_ALLOC) ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return strikes(FAULT_ALLOC) ? NULL : __real_calloc(count, size);
}

int
__wrap_accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags)
{
    if (strikes(FAULT_ACCEPT) || is_busy())
        return -1;
    return __real_accept4(fd, peer, length, flags);
}

int
__wrap_socket(int domain, int type, int protocol)
{
    return strikes(FAULT_SOCKET) ? -1 : __real_socket(domain, type, protocol);
}

int
__wrap_connect(int fd, const struct sockaddr *to, socklen_t length)
{
    return strikes(FAULT_CONNECT) ? -1 : __real_connect(fd, to, length);
}

ssize_t
__wrap_recv(int fd, void *bytes, size_t length, int flags)
{
    if (strikes(FAULT_RECV) || is_busy())
        return -1;
    return __real_recv(fd, bytes, shortened(length), flags);
}

ssize_t
__wrap_send(int fd, const void *bytes, size_t length, int flags)
{
    if (strikes(FAULT_SEND))
        return -1;
    /* An event is one datagram: it goes whole or not at all. */
    if ((flags & MSG_DONTWAIT) == 0) {
        if (is_busy())
            return -1;
        length = shortened(length);
    }
    return __real_send(fd, bytes, length, flags);
}

static void *
tls_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return strikes(FAULT_TLS_ALLOC) ? NULL : __real_malloc(size);
}

static void *
tls_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return strikes(FAULT_TLS_ALLOC) ? NULL : realloc(old, size);
}

static void
tls_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}

bool
faults_setup(void)
{
    return CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free) == 1;
}

void
faults_arm(enum fault fault, unsigned nth, int error)
{
    armed.fault = fault;
    armed.nth = nth;
    armed.calls = 0;
    armed.error = error;
    armed.hit = false;
}

bool
faults_disarm(void)
{
    armed.fault = FAULT_NONE;
    return armed.hit;
}
