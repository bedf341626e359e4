/*
 * mbedtls.c - a MAPI client on mbedTLS 2.28; ../stacks.py has the arguments
 *
 * This version speaks TLS 1.2 at most, so it is used for that alone.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "mapi.h"

static void
check(int code, const char *what)
{
    char why[200];

    if (code == 0)
        return;
    mbedtls_strerror(code, why, sizeof(why));
    fail(what, why);
}

static int
read_tls(void *ssl, void *bytes, int count)
{
    return mbedtls_ssl_read(ssl, bytes, (size_t)count);
}

static int
write_tls(void *ssl, const void *bytes, int count)
{
    return mbedtls_ssl_write(ssl, bytes, (size_t)count);
}

int
main(int argc, char **argv)
{
    struct arguments args = parse_arguments(argc, argv);
    static mbedtls_entropy_context entropy;
    static mbedtls_ctr_drbg_context random;
    static mbedtls_x509_crt ca;
    static mbedtls_ssl_config config;
    static mbedtls_ssl_context ssl;
    static mbedtls_net_context net;

    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_x509_crt_init(&ca);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&ssl);
    check(
        mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0),
        "random");
    check(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT,
                                      MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT),
          "config");
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    if (*args.ca)
        check(mbedtls_x509_crt_parse_file(&ca, args.ca), args.ca);
    mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
    check(mbedtls_ssl_setup(&ssl, &config), "setup");
    check(mbedtls_ssl_set_hostname(&ssl, args.name), "name");
    net.fd = connect_socket(args.address, args.port);
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
    check(mbedtls_ssl_handshake(&ssl), "handshake");
    exchange(&(struct stream){&ssl, read_tls, write_tls});
    mbedtls_ssl_close_notify(&ssl);
    mbedtls_net_free(&net);
    return 0;
}
