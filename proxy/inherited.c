/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

struct inherited {
    int fd; /* -1: taken */
    struct net_address address;
    char name[64]; /* for messages; escaped */
};

static struct {
    struct inherited *list;
    size_t count;
} state;

/* A decimal number up to most; -1 for anything else. */
static long
parse_number(const char *text, long most)
{
    char *end;
    long number;

    if (text == NULL || *text < '0' || *text > '9')
        return -1;
    errno = 0;
    number = strtol(text, &end, 10);
    return *end == '\0' && errno == 0 && number <= most ? number : -1;
}

static int
get_option(int fd, int name)
{
    int value = -1;
    socklen_t length = sizeof value;

    if (getsockopt(fd, SOL_SOCKET, name, &value, &length) == -1)
        return -1;
    return value;
}

/* Why fd is none of ours; NULL if it is. */
static const char *
flaw(int fd)
{
    int family = get_option(fd, SO_DOMAIN);

    if (family == -1)
        return strerror(errno);
    if ((family != AF_INET && family != AF_INET6)
        || get_option(fd, SO_TYPE) != SOCK_STREAM
        || get_option(fd, SO_PROTOCOL) != IPPROTO_TCP)
        return "not a TCP socket";
    if (get_option(fd, SO_ACCEPTCONN) != 1)
        return "it does not listen (Accept=yes is not supported)";
    return NULL;
}

static int
prepare(struct inherited *one)
{
    static const int on = 1;
    struct net_address *address = &one->address;
    int flags = fcntl(one->fd, F_GETFL);

    address->length = sizeof address->sa;
    if (flags == -1 || fcntl(one->fd, F_SETFL, flags | O_NONBLOCK) == -1
        || fcntl(one->fd, F_SETFD, FD_CLOEXEC) == -1
        || setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == -1
        || getsockname(one->fd, &address->sa.any, &address->length) == -1)
        return -1;
    return 0;
}

/* Take the name of the next one off the list in $LISTEN_FDNAMES. */
static void
next_name(const char **names, char *out, size_t room)
{
    size_t length = *names == NULL ? 0 : strcspn(*names, ":");

    if (length == 0)
        snprintf(out, room, "unknown");
    else
        log_escape(out, room, *names, length);
    if (*names != NULL)
        *names = (*names)[length] == ':' ? *names + length + 1 : NULL;
}

static int
adopt(size_t count, const char *names)
{
    state.list = calloc(count, sizeof *state.list);
    if (state.list == NULL) {
        log_errno("cannot keep %zu inherited sockets", count);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct inherited *one = &state.list[i];
        const char *wrong;

        one->fd = FIRST_FD + (int)i;
        next_name(&names, one->name, sizeof one->name);
        wrong = flaw(one->fd);
        if (wrong == NULL && prepare(one) == -1)
            wrong = strerror(errno);
        if (wrong != NULL) {
            log_error("inherited descriptor %d (%s): %s", one->fd, one->name,
                      wrong);
            return -1;
        }
        state.count++;
    }
    return 0;
}

int
inherited_open(void)
{
    const char *fds = getenv("LISTEN_FDS");
    long count = parse_number(fds, INHERITED_MAX);
    int result = 0;

    /* For another process, whose child we are, if it is not our number. */
    if (fds == NULL
        || parse_number(getenv("LISTEN_PID"), INT_MAX) != (long)getpid())
        count = 0;
    if (count == -1) {
        log_error("LISTEN_FDS '%.20s': not a number from 0 to %d", fds,
                  INHERITED_MAX);
        result = -1;
    } else if (count > 0) {
        result = adopt((size_t)count, getenv("LISTEN_FDNAMES"));
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return result;
}

int
inherited_take(const struct net_address *address)
{
    for (size_t i = 0; i < state.count; i++) {
        struct inherited *one = &state.list[i];
        int fd = one->fd;

        if (fd != -1 && net_equal(&one->address, address)) {
            one->fd = -1;
            return fd;
        }
    }
    return -1;
}

void
inherited_warn_untaken(void)
{
    char text[NET_TEXT_MAX];

    for (size_t i = 0; i < state.count; i++) {
        struct inherited *one = &state.list[i];

        if (one->fd == -1)
            continue;
        log_warning("inherited socket '%s' on %s: no port of ours, closed",
                    one->name, net_text(&one->address, text));
        net_close(&one->fd);
    }
    free(state.list);
    state.list = NULL;
    state.count = 0;
}
