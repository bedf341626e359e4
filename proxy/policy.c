/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/policy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "proxy/endpoint.h"
#include "proxy/event.h"

/* RFC 7301's list with the one name we know. */
static const unsigned char mapi9[] = "\x06mapi/9";

/*
 * RFC 7301 wants no_application_protocol when nothing overlaps; for MAPI that
 * is no error (contract.md, section 4): not every client offers anything.
 */
static int
select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
            const unsigned char *offered, unsigned length, void *unused)
{
    struct event *event = SSL_get_app_data(ssl);
    unsigned char *chosen;

    (void)unused;
    event_bytes_set(&event->alpn_offered, offered, length);
    if (SSL_select_next_proto(&chosen, out_length, mapi9, sizeof mapi9 - 1,
                              offered, length)
        != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Called for every ClientHello, with or without the extension. */
static int
require_server_name(SSL *ssl, int *alert, void *arg)
{
    const struct policy_material *material = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    struct event *event = SSL_get_app_data(ssl);

    for (size_t i = 0; name != NULL && i < material->hostname_count; i++)
        if (strcasecmp(name, material->hostnames[i]) == 0)
            return SSL_TLSEXT_ERR_OK;
    event_text_set(&event->reason,
                   name == NULL
                       ? "the client sent no server name (SNI)"
                       : "the server name (SNI) is none of our host names");
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
use_certificate(SSL_CTX *context, const struct cert *cert)
{
    if (SSL_CTX_use_certificate(context, cert->x509) != 1
        || SSL_CTX_use_PrivateKey(context, cert->key) != 1)
        return -1;
    /* Leaf and the self-signed CA: clients look for "self-signed certificate
     * in certificate chain". */
    if (cert->issuer != cert
        && SSL_CTX_add1_chain_cert(context, cert->issuer->x509) != 1)
        return -1;
    return 0;
}

static int
require_client_certificate(SSL_CTX *context, const struct cert *authority)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);

    if (X509_STORE_add_cert(store, authority->x509) != 1
        || SSL_CTX_add_client_CA(context, authority->x509) != 1)
        return -1;
    SSL_CTX_set_verify(context,
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return 0;
}

static int
digest_text(EVP_MD_CTX *digest, const char *text)
{
    return text == NULL ? EVP_DigestUpdate(digest, "\0", 2)
                        : EVP_DigestUpdate(digest, text, strlen(text) + 1);
}

int
policy_set_session(SSL_CTX *context, const struct policy_session *session,
                   uint8_t id[POLICY_SESSION_BYTES])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    char hash[65] = "";
    int result = -1;

    if (digest == NULL || EVP_DigestInit(digest, EVP_sha256()) != 1)
        goto done;
    cert_hash(session->leaf, hash);
    if (!digest_text(digest, session->port) || !digest_text(digest, hash)
        || !digest_text(digest, session->client_ca)
        || !EVP_DigestUpdate(digest, session->rules,
                             session->rule_count * sizeof session->rules[0])
        || !EVP_DigestFinal(digest, id, NULL))
        goto done;
    if (SSL_CTX_set_session_id_context(context, id, POLICY_SESSION_BYTES) == 1)
        result = 0;

done:
    EVP_MD_CTX_free(digest);
    return result;
}

/* The session of a row of the port table. */
static int
set_session(SSL_CTX *context, const struct port_policy *policy,
            const struct cert *cert, const struct cert *client_ca,
            uint8_t id[POLICY_SESSION_BYTES])
{
    const int rules[] = {policy->tls_min, policy->tls_max, policy->sni_required,
                         policy->alpn_required};
    struct policy_session session = {
        .port = policy->name,
        .leaf = cert->x509,
        .rules = rules,
        .rule_count = sizeof rules / sizeof rules[0],
    };
    char hash[65];

    if (client_ca != NULL) {
        cert_hash(client_ca->x509, hash);
        session.client_ca = hash;
    }
    return policy_set_session(context, &session, id);
}

/* A resumed client verifies nothing, so a test port never lets one resume. */
static int
set_tickets(SSL_CTX *context, bool issue,
            const struct policy_material *material,
            const uint8_t id[POLICY_SESSION_BYTES])
{
    if (!issue) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(context, 0) == 1 ? 0 : -1;
    }
    return tickets_use(context, material->ticket_secret, id,
                       POLICY_SESSION_BYTES);
}

int
policy_prepare(SSL_CTX *context, int tls_min, int tls_max)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                                     | SSL_OP_CIPHER_SERVER_PREFERENCE
                                     | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE
                                  | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                  | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    /* Sessions are in tickets, or nowhere: what a worker remembers costs memory
     * for each client, and no other worker knows it. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_early_data(context, 0);
    SSL_CTX_set_info_callback(context, endpoint_info);
    SSL_CTX_set_alpn_select_cb(context, select_alpn, NULL);
    if (SSL_CTX_set_min_proto_version(context, tls_min) != 1
        || SSL_CTX_set_max_proto_version(context, tls_max) != 1)
        return -1;
    return 0;
}

SSL_CTX *
policy_context(const struct port_policy *policy,
               const struct policy_material *material)
{
    const struct cert *cert =
        cert_set_find(material->certs, policy->certificate);
    const struct cert *client_ca =
        policy->client_ca == NULL
            ? NULL
            : cert_set_find(material->certs, policy->client_ca);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX *made = NULL;
    uint8_t id[POLICY_SESSION_BYTES];

    if (context == NULL
        || policy_prepare(context, policy->tls_min, policy->tls_max) == -1)
        goto done;
    if (use_certificate(context, cert) == -1)
        goto done;
    if (client_ca != NULL
        && require_client_certificate(context, client_ca) == -1)
        goto done;
    if (policy->sni_required) {
        SSL_CTX_set_tlsext_servername_callback(context, require_server_name);
        SSL_CTX_set_tlsext_servername_arg(context, (void *)material);
    }
    if (set_session(context, policy, cert, client_ca, id) == -1
        || set_tickets(context, policy->tickets, material, id) == -1)
        goto done;

    made = context;
    context = NULL;

done:
    if (made == NULL)
        log_tls("port '%s': cannot set up TLS", policy->name);
    SSL_CTX_free(context);
    return made;
}
