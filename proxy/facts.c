/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/facts.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

static void
note_client_certificate(struct event *event, X509 *x509)
{
    BIO *text = BIO_new(BIO_s_mem());
    unsigned char *bytes = NULL;
    long length;

    event->client_certificate = true;
    X509_digest(x509, EVP_sha256(), event->client_sha256, NULL);
    if (text != NULL
        && X509_NAME_print_ex(text, X509_get_subject_name(x509), 0,
                              XN_FLAG_RFC2253)
               >= 0) {
        length = BIO_get_mem_data(text, &bytes);
        event_bytes_set(&event->client_subject, bytes, (size_t)length);
    }
    BIO_free(text);
}

void
facts_session(struct event *event, SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const char *group = NULL;
    const unsigned char *alpn;
    unsigned alpn_length;
    X509 *peer;

    if (sni != NULL)
        event_bytes_set(&event->sni, sni, strlen(sni));
    if (cipher == NULL)
        return;
    event->tls_version = (uint16_t)SSL_version(ssl);
    snprintf(event->cipher, sizeof event->cipher, "%s",
             SSL_CIPHER_get_name(cipher));
    group = SSL_group_to_name(ssl, SSL_get_negotiated_group(ssl));
    snprintf(event->group, sizeof event->group, "%s",
             group != NULL ? group : "");
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_length);
    event_bytes_set(&event->alpn_selected, alpn, alpn_length);
    event->resumed = SSL_session_reused(ssl);
    peer = SSL_get0_peer_certificate(ssl);
    if (peer != NULL)
        note_client_certificate(event, peer);
}

void
facts_failure(struct event *event, const SSL *ssl, unsigned long reason)
{
    const char *text = ERR_reason_error_string(reason);
    long verify = SSL_get_verify_result(ssl);
    char line[EVENT_TEXT_MAX + 1];

    if (event->reason != NULL)
        return; /* a rule of the port has said it better */
    if (verify != X509_V_OK) {
        snprintf(line, sizeof line, "client certificate: %s",
                 X509_verify_cert_error_string(verify));
        text = line;
    }
    event_text_set(&event->reason,
                   text != NULL ? text : "TLS failed without a reason");
}
