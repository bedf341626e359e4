/*
 * wolfssl.c - a MAPI client on wolfSSL; ../stacks.py has the arguments
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "mapi.h"

static void
check(int code, const char *what)
{
    if (code != WOLFSSL_SUCCESS)
        fail("wolfSSL", what);
}

static int
read_tls(void *ssl, void *bytes, int count)
{
    return wolfSSL_read(ssl, bytes, count);
}

static int
write_tls(void *ssl, const void *bytes, int count)
{
    return wolfSSL_write(ssl, bytes, count);
}

static WOLFSSL_CTX *
make_context(const struct arguments *args)
{
    WOLFSSL_CTX *context = wolfSSL_CTX_new(strcmp(args->version, "1.2") == 0
                                               ? wolfTLSv1_2_client_method()
                                               : wolfTLSv1_3_client_method());

    if (context == NULL)
        fail("wolfSSL", "no context");
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, NULL);
    if (*args->ca)
        check(wolfSSL_CTX_load_verify_locations(context, args->ca, NULL),
              args->ca);
    if (*args->cert) {
        check(wolfSSL_CTX_use_certificate_chain_file(context, args->cert),
              args->cert);
        check(wolfSSL_CTX_use_PrivateKey_file(context, args->key,
                                              WOLFSSL_FILETYPE_PEM),
              args->key);
    }
    return context;
}

int
main(int argc, char **argv)
{
    struct arguments args = parse_arguments(argc, argv);
    WOLFSSL_CTX *context;
    WOLFSSL *ssl;

    wolfSSL_Init();
    context = make_context(&args);
    ssl = wolfSSL_new(context);
    check(wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, args.name,
                         (unsigned short)strlen(args.name)),
          "SNI");
    check(wolfSSL_check_domain_name(ssl, args.name), "name");
    if (*args.alpn)
        check(wolfSSL_UseALPN(ssl, (char *)args.alpn,
                              (unsigned)strlen(args.alpn),
                              WOLFSSL_ALPN_FAILED_ON_MISMATCH),
              "ALPN");
    check(wolfSSL_set_fd(ssl, connect_socket(args.address, args.port)),
          "socket");
    if (wolfSSL_connect(ssl) != WOLFSSL_SUCCESS) {
        char why[80];
        int error = wolfSSL_get_error(ssl, 0);

        fail("handshake", wolfSSL_ERR_error_string((unsigned long)error, why));
    }
    exchange(&(struct stream){ssl, read_tls, write_tls});
    wolfSSL_shutdown(ssl);
    wolfSSL_free(ssl);
    wolfSSL_CTX_free(context);
    return 0;
}
