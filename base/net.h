/*
 * net.h - addresses and non-blocking sockets
 *
 * Every descriptor made here is close-on-exec and non-blocking.  Functions that
 * return a descriptor return -1 with errno set on failure.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Room for "[ipv6%scope]:65535" and its NUL. */
#define NET_TEXT_MAX 80
#define NET_HOST_MAX 256
#define NET_PATH_MAX 107 /* bytes of a Unix socket's path */

#define NET_KEEPALIVE_MAX 32767 /* seconds; the kernel's limit */

struct net_address {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } sa;
};

/*
 * Split "HOST:PORT", "[v6]:PORT" or ":PORT" (an empty host).  Returns NULL, or
 * a sentence fragment that says what is wrong with text.
 */
const char *
net_split(const char *text, char host[NET_HOST_MAX], uint16_t *port);

/* Parse a decimal port number, 0 to 65535, and nothing else. */
bool net_parse_port(const char *text, uint16_t *port);

/* Make an address of a numeric IPv4 or IPv6 host; false if it is a name. */
bool net_numeric(const char *host, uint16_t port, struct net_address *address);

/*
 * Resolve host, a number or a name, to at most max distinct addresses in the
 * resolver's order.  Returns how many, or -1 with *reason saying why there are
 * none.  Blocks: for start-up and the resolver process only.
 */
int net_resolve(const char *host, uint16_t port, struct net_address *addresses,
                int max, const char **reason);

uint16_t net_port(const struct net_address *address);
void net_set_port(struct net_address *address, uint16_t port);
bool net_is_loopback(const struct net_address *address);
bool net_equal(const struct net_address *a, const struct net_address *b);

/* "127.0.0.1:4300" or "[::1]:4300" into out; v4-mapped addresses are shown as
 * IPv4.  Returns out. */
char *net_text(const struct net_address *address, char out[NET_TEXT_MAX]);

/* The same without the port and without brackets. */
char *net_host_text(const struct net_address *address, char out[NET_TEXT_MAX]);

/*
 * A socket that listens on address, IPv6 ones for IPv6 only.  With `shared`
 * the socket joins others on the same address that were made with
 * net_allow_sharing(), and the kernel spreads connections over them.
 * *address gets the number that port 0 became.
 */
int net_listen(struct net_address *address, bool shared);

/*
 * Let sockets made later join this one.  Not done by net_listen() itself: a
 * first socket bound with SO_REUSEPORT would join, and steal from, another
 * instance on the same port instead of failing.
 */
int net_allow_sharing(int fd);

/*
 * Ask a peer that has been silent for so many seconds, at least 1, whether it
 * is still there, and end the connection (ETIMEDOUT) if it does not answer
 * within as long again; 0: never.  With `unsent`, which is not 0, the same
 * happens to one that leaves what was sent to it unacknowledged, or that lives
 * but takes nothing, which the kernel does not tell apart; none of them is then
 * given up before so many seconds.  For a listening socket it all holds for
 * what is accepted.
 */
int net_set_keepalive(int fd, double seconds, double unsent);

/*
 * Make room in the kernel for at least `bytes` that fd receives, now: it grows
 * on its own only when it is read in time, which a busy process does not do.
 * It may still grow, unlike after SO_RCVBUF.
 */
void net_widen(int fd, int bytes);

/* Accept one connection.  It has the options of its listener: TCP_NODELAY and
 * keepalive, which Linux passes on without a system call for each. */
int net_accept(int fd, struct net_address *peer);

/* Begin to connect; completion is writability, its result net_error(). */
int net_connect(const struct net_address *address);

/*
 * The same to a Unix socket, whose path is at most NET_PATH_MAX long.  It is
 * complete at once, or not begun: EAGAIN means that as many wait already as the
 * server has room for.
 */
int net_connect_path(const char *path);

/*
 * Leave TCP urgent data in the stream, where SIOCATMARK finds it; a listening
 * socket's holds for what it accepts.  Returns 0, or -1 with errno set.
 */
int net_keep_urgent(int fd);

/* True if a connection that was begun is complete.  To a backend on this
 * machine it mostly is at once, though the kernel says EINPROGRESS. */
bool net_is_connected(int fd);

/* The socket's pending error (SO_ERROR), which is thereby cleared; 0: none. */
int net_error(int fd);

/*
 * Open what is closed of standard input, output and error on /dev/null, before
 * anything else is opened: a socket with one of their numbers would get what is
 * written to the log.  Returns 0, or -1 with errno set.
 */
int net_guard_standard(void);

/*
 * Raise the limit of open files to what the system allows: the one that a
 * process starts with, often 1024, is made for select(), not for a descriptor
 * or two per connection.  Returns 0, or -1 with errno set.
 */
int net_raise_limit(void);

/* Close *fd unless it is -1, and make it -1. */
void net_close(int *fd);

#endif
