/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/net.h"

static struct {
    int fd; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t length;
    double watchdog;
    bool complained;
} state = {.fd = -1};

/* A decimal number and nothing else; 0 for what is none. */
static unsigned long long
parse_number(const char *text)
{
    char *end;
    unsigned long long number;

    if (text == NULL || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    number = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 ? number : 0;
}

static void
read_watchdog(void)
{
    const char *pid = getenv("WATCHDOG_PID");

    state.watchdog = 0;
    if (pid == NULL || parse_number(pid) == (unsigned long long)getpid())
        state.watchdog = (double)parse_number(getenv("WATCHDOG_USEC")) / 1e6;
}

/* A path, or '@' and a name in the abstract namespace (unix(7)). */
static bool
make_address(const char *name)
{
    size_t length = strlen(name);

    state.address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((*name != '/' && *name != '@') || length < 2
        || length >= sizeof state.address.sun_path)
        return false;
    memcpy(state.address.sun_path, name, length);
    if (*name == '@')
        state.address.sun_path[0] = '\0'; /* and no NUL at the end */
    else
        length++;
    state.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return true;
}

void
notify_open(void)
{
    const char *name = getenv("NOTIFY_SOCKET");

    notify_close();
    state.complained = false;
    read_watchdog();
    if (name != NULL && *name == '\0')
        name = NULL;
    if (name != NULL && !make_address(name)) {
        log_error("NOTIFY_SOCKET '%.108s': not a path nor an abstract name",
                  name);
    } else if (name != NULL) {
        state.fd =
            socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (state.fd == -1)
            log_errno("cannot notify systemd");
    }
    if (state.fd == -1)
        state.watchdog = 0;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void
notify_close(void)
{
    net_close(&state.fd);
    state.watchdog = 0;
}

static bool
send_text(const char *text)
{
    size_t length = strlen(text);
    ssize_t n;

    if (state.fd == -1)
        return true;
    n = sendto(state.fd, text, length, MSG_NOSIGNAL,
               (const struct sockaddr *)&state.address, state.length);
    if (n == (ssize_t)length)
        return true;
    if (!state.complained)
        log_errno("cannot notify systemd");
    state.complained = true;
    return false;
}

bool
notify_ready(const char *status)
{
    char text[NOTIFY_STATUS_MAX + 64];
    char line[NOTIFY_STATUS_MAX]; /* no more than one */

    snprintf(line, sizeof line, "%s", status);
    for (char *at = line; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20)
            *at = ' ';
    snprintf(text, sizeof text, "READY=1\nSTATUS=%s\n", line);
    return send_text(text);
}

bool
notify_reloading(void)
{
    struct timespec now;
    char text[80];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld\n",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    return send_text(text);
}

bool
notify_stopping(void)
{
    return send_text("STOPPING=1\n");
}

bool
notify_watchdog(void)
{
    return state.watchdog == 0 || send_text("WATCHDOG=1\n");
}

double
notify_watchdog_seconds(void)
{
    return state.watchdog;
}
