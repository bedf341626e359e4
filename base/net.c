/* SPDX-License-Identifier: MPL-2.0 */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

/* The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096

#define KEEPALIVE_PROBES 4

bool
net_parse_port(const char *text, uint16_t *port)
{
    unsigned long value = 0;
    size_t length = strlen(text);

    if (length == 0 || length > 5)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned long)(text[i] - '0');
    }
    if (value > 65535)
        return false;
    *port = (uint16_t)value;
    return true;
}

const char *
net_split(const char *text, char host[NET_HOST_MAX], uint16_t *port)
{
    const char *begin = text;
    const char *end;
    const char *colon;

    if (*text == '[') {
        begin = text + 1;
        end = strchr(begin, ']');
        if (end == NULL)
            return "a '[' without its ']'";
        if (end[1] != ':')
            return "no ':PORT' behind the ']'";
        colon = end + 1;
    } else {
        colon = strrchr(text, ':');
        if (colon == NULL)
            return "no ':PORT' in it";
        if (strchr(text, ':') != colon)
            return "an IPv6 address must stand in brackets";
        end = colon;
    }
    if ((size_t)(end - begin) >= NET_HOST_MAX)
        return "the host name is too long";
    if (!net_parse_port(colon + 1, port))
        return "the port is not a number from 0 to 65535";
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    return NULL;
}

bool
net_numeric(const char *host, uint16_t port, struct net_address *address)
{
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, host, &address->sa.v4.sin_addr) == 1) {
        address->sa.v4.sin_family = AF_INET;
        address->length = sizeof address->sa.v4;
    } else if (inet_pton(AF_INET6, host, &address->sa.v6.sin6_addr) == 1) {
        address->sa.v6.sin6_family = AF_INET6;
        address->length = sizeof address->sa.v6;
    } else {
        return false;
    }
    net_set_port(address, port);
    return true;
}

static bool
listed(const struct net_address *list, int count, const struct net_address *a)
{
    for (int i = 0; i < count; i++)
        if (net_equal(&list[i], a))
            return true;
    return false;
}

int
net_resolve(const char *host, uint16_t port, struct net_address *addresses,
            int max, const char **reason)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int count = 0;
    int rc;

    if (max > 0 && net_numeric(host, port, &addresses[0]))
        return 1;
    rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc != 0) {
        *reason = gai_strerror(rc);
        return -1;
    }
    for (struct addrinfo *ai = found; ai != NULL && count < max;
         ai = ai->ai_next) {
        struct net_address a = {.length = ai->ai_addrlen};

        if (ai->ai_addrlen > sizeof a.sa)
            continue;
        memcpy(&a.sa, ai->ai_addr, ai->ai_addrlen);
        net_set_port(&a, port);
        if (!listed(addresses, count, &a))
            addresses[count++] = a;
    }
    freeaddrinfo(found);
    if (count == 0)
        *reason = "it has no address";
    return count > 0 ? count : -1;
}

uint16_t
net_port(const struct net_address *address)
{
    return ntohs(address->sa.any.sa_family == AF_INET6
                     ? address->sa.v6.sin6_port
                     : address->sa.v4.sin_port);
}

void
net_set_port(struct net_address *address, uint16_t port)
{
    if (address->sa.any.sa_family == AF_INET6)
        address->sa.v6.sin6_port = htons(port);
    else
        address->sa.v4.sin_port = htons(port);
}

bool
net_is_loopback(const struct net_address *address)
{
    const struct in6_addr *ip6 = &address->sa.v6.sin6_addr;

    if (address->sa.any.sa_family == AF_UNIX)
        return true;
    if (address->sa.any.sa_family == AF_INET)
        return ntohl(address->sa.v4.sin_addr.s_addr) >> 24 == 127;
    if (IN6_IS_ADDR_V4MAPPED(ip6))
        return ip6->s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(ip6);
}

bool
net_equal(const struct net_address *a, const struct net_address *b)
{
    if (a->sa.any.sa_family != b->sa.any.sa_family
        || net_port(a) != net_port(b))
        return false;
    if (a->sa.any.sa_family == AF_UNIX)
        return true;
    if (a->sa.any.sa_family == AF_INET)
        return a->sa.v4.sin_addr.s_addr == b->sa.v4.sin_addr.s_addr;
    return a->sa.v6.sin6_scope_id == b->sa.v6.sin6_scope_id
           && IN6_ARE_ADDR_EQUAL(&a->sa.v6.sin6_addr, &b->sa.v6.sin6_addr);
}

char *
net_host_text(const struct net_address *address, char out[NET_TEXT_MAX])
{
    const struct in6_addr *ip6 = &address->sa.v6.sin6_addr;

    if (address->sa.any.sa_family == AF_INET)
        inet_ntop(AF_INET, &address->sa.v4.sin_addr, out, NET_TEXT_MAX);
    else if (IN6_IS_ADDR_V4MAPPED(ip6))
        inet_ntop(AF_INET, ip6->s6_addr + 12, out, NET_TEXT_MAX);
    else
        inet_ntop(AF_INET6, ip6, out, NET_TEXT_MAX);
    return out;
}

char *
net_text(const struct net_address *address, char out[NET_TEXT_MAX])
{
    char host[NET_TEXT_MAX];
    bool bracket;

    net_host_text(address, host);
    bracket = strchr(host, ':') != NULL;
    snprintf(out, NET_TEXT_MAX, "%s%.60s%s:%u", bracket ? "[" : "", host,
             bracket ? "]" : "", net_port(address));
    return out;
}

struct socket_option {
    int level, name, value;
};

static int
set_options(int fd, const struct socket_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                       sizeof(int))
            == -1)
            return -1;
    return 0;
}

/*
 * MAPI is request and response: waiting to fill a segment only costs time.
 */
static int
set_no_delay(int fd)
{
    static const struct socket_option option = {IPPROTO_TCP, TCP_NODELAY, 1};

    return set_options(fd, &option, 1);
}

static int
whole_seconds(double seconds)
{
    return seconds >= NET_KEEPALIVE_MAX ? NET_KEEPALIVE_MAX
                                        : (int)ceil(seconds);
}

/* A low-water mark makes room for itself (tcp_set_rcvlowat() in Linux); the
 * room stays when the mark is taken back. */
void
net_widen(int fd, int bytes)
{
    static const int usual = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &usual, sizeof usual);
}

int
net_set_keepalive(int fd, double seconds, double unsent)
{
    int idle = whole_seconds(seconds);
    int interval = (idle + 3) / KEEPALIVE_PROBES;
    int bound = idle + KEEPALIVE_PROBES * interval;
    int patience = whole_seconds(unsent);
    const struct socket_option options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, idle > 0},
        {IPPROTO_TCP, TCP_USER_TIMEOUT,
         idle == 0 || patience == 0
             ? 0
             : 1000 * (patience > bound ? patience : bound)},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
        {IPPROTO_TCP, TCP_KEEPIDLE, idle},
        {IPPROTO_TCP, TCP_KEEPINTVL, interval},
    };

    /* The kernel takes no times of 0, and needs none then. */
    return set_options(fd, options,
                       sizeof options / sizeof options[0] - (idle > 0 ? 0 : 2));
}

int
net_listen(struct net_address *address, bool shared)
{
    static const int on = 1;
    int family = address->sa.any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return -1;
    address->length = sizeof address->sa;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
        && set_no_delay(fd) == 0 && (!shared || net_allow_sharing(fd) == 0)
        && (family != AF_INET6
            || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0)
        && bind(fd, &address->sa.any, sizeof address->sa) == 0
        && listen(fd, BACKLOG) == 0
        && getsockname(fd, &address->sa.any, &address->length) == 0)
        return fd;
    net_close(&fd);
    return -1;
}

int
net_allow_sharing(int fd)
{
    static const int on = 1;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

int
net_accept(int fd, struct net_address *peer)
{
    peer->length = sizeof peer->sa;
    return accept4(fd, &peer->sa.any, &peer->length,
                   SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int
net_connect(const struct net_address *address)
{
    int fd = socket(address->sa.any.sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return -1;
    (void)set_no_delay(fd);
    if (connect(fd, &address->sa.any, address->length) == -1
        && errno != EINPROGRESS)
        net_close(&fd);
    return fd;
}

int
net_connect_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return -1;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == -1)
        net_close(&fd);
    return fd;
}

int
net_keep_urgent(int fd)
{
    static const struct socket_option option = {SOL_SOCKET, SO_OOBINLINE, 1};

    return set_options(fd, &option, 1);
}

bool
net_is_connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;

    return getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
}

int
net_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
        return errno;
    return error;
}

int
net_guard_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd != -1 && fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);
    if (fd == -1)
        return -1;
    return fd > STDERR_FILENO ? close(fd) : -1;
}

int
net_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        return -1;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

void
net_close(int *fd)
{
    int saved = errno;

    if (*fd != -1)
        close(*fd);
    *fd = -1;
    errno = saved;
}
