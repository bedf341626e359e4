/*
 * libtls.c - a MAPI client on libtls (libretls); ../stacks.py has the arguments
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <tls.h>

#include "mapi.h"

static int
read_tls(void *tls, void *bytes, int count)
{
    ssize_t moved;

    do
        moved = tls_read(tls, bytes, (size_t)count);
    while (moved == TLS_WANT_POLLIN || moved == TLS_WANT_POLLOUT);
    return (int)moved;
}

static int
write_tls(void *tls, const void *bytes, int count)
{
    ssize_t moved;

    do
        moved = tls_write(tls, bytes, (size_t)count);
    while (moved == TLS_WANT_POLLIN || moved == TLS_WANT_POLLOUT);
    return (int)moved;
}

static struct tls_config *
make_config(const struct arguments *args)
{
    struct tls_config *config = tls_config_new();
    unsigned protocol = strcmp(args->version, "1.2") == 0
                            ? TLS_PROTOCOL_TLSv1_2
                            : TLS_PROTOCOL_TLSv1_3;

    if (tls_config_set_protocols(config, protocol) == -1
        || (*args->ca && tls_config_set_ca_file(config, args->ca) == -1)
        || (*args->cert
            && tls_config_set_keypair_file(config, args->cert, args->key) == -1)
        || (*args->alpn && tls_config_set_alpn(config, args->alpn) == -1))
        fail("config", tls_config_error(config));
    return config;
}

int
main(int argc, char **argv)
{
    struct arguments args = parse_arguments(argc, argv);
    struct tls_config *config = make_config(&args);
    struct tls *tls = tls_client();
    int fd = connect_socket(args.address, args.port);

    if (tls_configure(tls, config) == -1
        || tls_connect_socket(tls, fd, args.name) == -1
        || tls_handshake(tls) == -1) {
        fprintf(stderr, "handshake: %s\n", tls_error(tls));
        /* What a program does: an end of its own, with close_notify. */
        tls_close(tls);
        return 1;
    }
    exchange(&(struct stream){tls, read_tls, write_tls});
    tls_close(tls);
    tls_free(tls);
    tls_config_free(config);
    close(fd);
    return 0;
}
