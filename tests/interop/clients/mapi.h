/*
 * mapi.h - what the C clients share: arguments, a socket, the MAPI exchange
 *
 * Each client is one source file that includes this.  ../stacks.py has the
 * arguments; an empty one means "none".
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#ifndef INTEROP_MAPI_H
#define INTEROP_MAPI_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct arguments {
    const char *address, *port, *name, *ca, *version, *cert, *key, *alpn;
};

/* How a stack moves bytes: the number moved, or <= 0. */
struct stream {
    void *tls;
    int (*read)(void *tls, void *bytes, int count);
    int (*write)(void *tls, const void *bytes, int count);
};

static inline void
fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static inline struct arguments
parse_arguments(int argc, char **argv)
{
    if (argc != 9)
        fail(argv[0], "needs 8 arguments");
    return (struct arguments){argv[1], argv[2], argv[3], argv[4],
                              argv[5], argv[6], argv[7], argv[8]};
}

static inline int
connect_socket(const char *address, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
        fail(address, "no IPv4 address");
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
        fail(address, "cannot connect");
    return fd;
}

static inline void
read_bytes(const struct stream *stream, unsigned char *bytes, int count)
{
    while (count > 0) {
        int moved = stream->read(stream->tls, bytes, count);

        if (moved <= 0)
            fail("read", "the stream has ended");
        bytes += moved;
        count -= moved;
    }
}

/* One message of one block, as a string that is valid until the next call. */
static inline const char *
read_message(const struct stream *stream)
{
    static unsigned char payload[0x8000];
    unsigned char header[2];
    int length;

    read_bytes(stream, header, 2);
    length = (header[0] | header[1] << 8) >> 1;
    read_bytes(stream, payload, length);
    payload[length] = '\0';
    return (const char *)payload;
}

/* Read the challenge, respond, print the reply. */
static inline void
exchange(const struct stream *stream)
{
    static const char response[] = "LIT:monetdb:{SHA1}0123456789:sql:test:";
    char message[2 + sizeof(response)] = {
        (char)((sizeof(response) - 1) << 1 | 1), 0};

    read_message(stream);
    memcpy(message + 2, response, sizeof(response) - 1);
    if (stream->write(stream->tls, message, 1 + sizeof(response)) <= 0)
        fail("write", "the stream has ended");
    puts(read_message(stream));
}

#endif
