/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/contexts.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/wire.h"
#include "proxy/event.h"
#include "proxy/operator_files.h"
#include "proxy/policy.h"

/* A certificate, and the context that presents it. */
struct choice {
    SSL_CTX *context;
    X509 *leaf; /* the context's own */
};

struct contexts {
    const struct config *config;
    const struct front *front;
    size_t count;
    struct choice choices[FRONT_CERTIFICATES_MAX];
};

/* What went wrong with a file, and why OpenSSL says so, if it does. */
static int
file_error(const struct contexts *f, const struct operator_file *file,
           const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = code == 0 ? NULL : ERR_reason_error_string(code);

    config_error(f->config, file->line, "port '%s': %s: %s%s%s",
                 f->front->policy.name, file->path, what,
                 why != NULL ? ": " : "", why != NULL ? why : "");
    ERR_clear_error();
    return -1;
}

/* The end of a PEM file is an error of OpenSSL's too. */
static bool
is_end_of_pem(void)
{
    unsigned long code = ERR_peek_last_error();

    return ERR_GET_LIB(code) == ERR_LIB_PEM
           && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* No terminal is asked for a passphrase, of a certificate neither. */
static int
no_passphrase(char *out, int room, int writing, void *asked)
{
    (void)out;
    (void)room;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

typedef int take_certificate(void *context, X509 *x509, size_t position);

/*
 * Give take every certificate of a PEM file, which it may keep by X509_up_ref.
 * Returns 0, or -1 if there is none or one is broken: logged.
 */
static int
each_certificate(const struct contexts *f, const struct operator_file *file,
                 take_certificate *take, void *context)
{
    size_t length = 0;
    char *bytes = operator_file_read(f->config, file, &length);
    BIO *bio = bytes == NULL ? NULL : BIO_new_mem_buf(bytes, (int)length);
    size_t position = 0;
    bool encrypted = false;
    int result = -1;
    X509 *x509;

    if (bio == NULL)
        goto done;
    ERR_clear_error();
    while ((x509 = PEM_read_bio_X509(bio, NULL, no_passphrase, &encrypted))
           != NULL) {
        int taken = take(context, x509, position++);

        X509_free(x509);
        if (taken == -1) {
            file_error(f, file, "a certificate cannot be used");
            goto done;
        }
    }
    if (!is_end_of_pem())
        file_error(f, file, "a certificate cannot be read");
    else if (position == 0)
        file_error(f, file, "there is no certificate in it");
    else
        result = 0;

done:
    ERR_clear_error();
    BIO_free(bio);
    operator_file_wipe(bytes);
    return result;
}

/* The leaf first, then its issuers. */
static int
take_chain(void *arg, X509 *x509, size_t position)
{
    SSL_CTX *context = arg;

    if (position == 0)
        return SSL_CTX_use_certificate(context, x509) == 1 ? 0 : -1;
    return SSL_CTX_add1_chain_cert(context, x509) == 1 ? 0 : -1;
}

static int
use_key(const struct contexts *f, SSL_CTX *context,
        const struct operator_file *file)
{
    size_t length = 0;
    char *bytes = operator_file_read(f->config, file, &length);
    BIO *bio = bytes == NULL ? NULL : BIO_new_mem_buf(bytes, (int)length);
    EVP_PKEY *key = NULL;
    bool encrypted = false;
    int result = -1;

    if (bio == NULL)
        goto done;
    ERR_clear_error();
    key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);
    if (key == NULL && encrypted) {
        ERR_clear_error();
        file_error(f, file,
                   "the key is encrypted, and nobody is here to ask "
                   "for its passphrase");
    } else if (key == NULL) {
        if (is_end_of_pem())
            ERR_clear_error();
        file_error(f, file, "there is no private key in it");
    } else if (SSL_CTX_use_PrivateKey(context, key) != 1
               || SSL_CTX_check_private_key(context) != 1) {
        ERR_clear_error();
        file_error(f, file, "the key does not belong to the certificate");
    } else {
        result = 0;
    }

done:
    EVP_PKEY_free(key);
    BIO_free(bio);
    operator_file_wipe(bytes);
    return result;
}

/* Things that work, for some clients at least, but want to be known. */
static void
warn_of_chain(const struct contexts *f, SSL_CTX *context,
              const struct operator_file *file)
{
    X509 *last = SSL_CTX_get0_certificate(context);
    const char *port = f->front->policy.name;
    STACK_OF(X509) *chain = NULL;

    if (X509_cmp_current_time(X509_get0_notAfter(last)) < 0)
        log_warning("port '%s': %s: the certificate has expired", port,
                    file->path);
    if (X509_cmp_current_time(X509_get0_notBefore(last)) > 0)
        log_warning("port '%s': %s: the certificate is not valid yet", port,
                    file->path);
    SSL_CTX_get0_chain_certs(context, &chain);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *next = sk_X509_value(chain, i);

        if (X509_check_issued(next, last) != X509_V_OK)
            log_warning("port '%s': %s: certificate %d did not issue the one "
                        "before it",
                        port, file->path, i + 2);
        last = next;
    }
    ERR_clear_error();
}

static int
take_client_ca(void *arg, X509 *x509, size_t position)
{
    SSL_CTX *context = arg;

    (void)position;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), x509) == 1
                   && SSL_CTX_add_client_CA(context, x509) == 1
               ? 0
               : -1;
}

static int
take_into_digest(void *arg, X509 *x509, size_t position)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned length;

    (void)position;
    return X509_digest(x509, EVP_sha256(), hash, &length) == 1
                   && EVP_DigestUpdate(arg, hash, length) == 1
               ? 0
               : -1;
}

/* SHA-256 over the client CAs' hashes, as hex digits. */
static int
digest_client_ca(const struct contexts *f, char hex[65])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned char out[EVP_MAX_MD_SIZE];
    int result = -1;

    if (digest != NULL && EVP_DigestInit(digest, EVP_sha256()) == 1
        && each_certificate(f, &f->front->client_ca, take_into_digest, digest)
               == 0
        && EVP_DigestFinal(digest, out, NULL) == 1) {
        for (int i = 0; i < 32; i++)
            snprintf(hex + 2 * i, 3, "%02x", out[i]);
        result = 0;
    }
    EVP_MD_CTX_free(digest);
    return result;
}

static int
set_client_certificate(const struct contexts *f, SSL_CTX *context)
{
    const struct front *front = f->front;
    int mode = SSL_VERIFY_PEER;

    if (front->client_certificate == CLIENT_CERTIFICATE_NONE)
        return 0;
    if (front->client_certificate == CLIENT_CERTIFICATE_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context, mode, NULL);
    return each_certificate(f, &front->client_ca, take_client_ca, context);
}

static int
set_session(const struct contexts *f, SSL_CTX *context, const uint8_t *secret)
{
    const struct front *front = f->front;
    const int rules[] = {front->policy.tls_min, front->policy.tls_max,
                         (int)front->client_certificate, (int)front->alpn,
                         (int)front->sni};
    struct policy_session session = {
        .port = front->policy.name,
        .leaf = SSL_CTX_get0_certificate(context),
        .rules = rules,
        .rule_count = sizeof rules / sizeof rules[0],
    };
    uint8_t id[POLICY_SESSION_BYTES];
    char hex[65];

    if (front->client_certificate != CLIENT_CERTIFICATE_NONE) {
        if (digest_client_ca(f, hex) == -1)
            return -1;
        session.client_ca = hex;
    }
    if (policy_set_session(context, &session, id) == 0
        && (front->policy.tickets ? tickets_use(context, secret, id, sizeof id)
                                  : policy_refuse_tickets(context))
               == 0)
        return 0;
    log_tls("port '%s': cannot set up sessions", front->policy.name);
    return -1;
}

/* Ciphers and groups, as the configuration has them. */
static int
set_algorithms(const struct contexts *f, SSL_CTX *context)
{
    const struct front *front = f->front;
    const char *what = NULL;

    ERR_clear_error();
    if (front->ciphers != NULL
        && SSL_CTX_set_cipher_list(context, front->ciphers) != 1)
        what = "ciphers";
    else if (front->ciphersuites != NULL
             && SSL_CTX_set_ciphersuites(context, front->ciphersuites) != 1)
        what = "ciphersuites";
    else if (front->groups != NULL
             && SSL_CTX_set1_groups_list(context, front->groups) != 1)
        what = "groups";
    ERR_clear_error();
    if (what == NULL)
        return 0;
    config_error(f->config, front->line,
                 "port '%s': tls.%s: OpenSSL does not know what is asked for",
                 front->policy.name, what);
    return -1;
}

/* The context that presents one certificate; NULL: logged. */
static SSL_CTX *
make_context(const struct contexts *f, const struct operator_certificate *files,
             const uint8_t *secret)
{
    const struct port_policy *policy = &f->front->policy;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context == NULL
        || policy_prepare(context, policy->tls_min, policy->tls_max) == -1) {
        log_tls("port '%s': cannot set up TLS", policy->name);
        goto failed;
    }
    if (f->front->alpn == ALPN_IGNORE)
        SSL_CTX_set_alpn_select_cb(context, NULL, NULL);
    if (set_algorithms(f, context) == -1
        || each_certificate(f, &files->chain, take_chain, context) == -1
        || use_key(f, context, &files->key) == -1
        || set_client_certificate(f, context) == -1
        || set_session(f, context, secret) == -1)
        goto failed;
    warn_of_chain(f, context, &files->chain);
    return context;

failed:
    SSL_CTX_free(context);
    return NULL;
}

/* The host name in a ClientHello's server_name (RFC 6066, 3); empty: none. */
static struct slice
server_name(SSL *ssl)
{
    const unsigned char *bytes;
    size_t length;
    struct wire_reader r;
    struct slice name;
    uint64_t type;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &length)
        != 1)
        return (struct slice){NULL, 0};
    r = wire_reader(bytes, length);
    wire_be(&r, 2); /* the list's length: OpenSSL checks all of it later */
    type = wire_be(&r, 1);
    name = wire_take(&r, wire_be(&r, 2));
    if (r.failed || type != TLSEXT_NAMETYPE_host_name)
        return (struct slice){NULL, 0};
    return name;
}

static const struct choice *
choose(const struct contexts *f, struct slice name)
{
    /* To OpenSSL, ".example.com" is any name below, and a wildcard's star is a
     * label like others; no host is called so. */
    static const unsigned exact_first[] = {X509_CHECK_FLAG_NO_WILDCARDS, 0};

    if (name.length == 0 || *name.bytes == '.' || *name.bytes == '*')
        return NULL;
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < f->count; i++)
            if (X509_check_host(f->choices[i].leaf, (const char *)name.bytes,
                                name.length, exact_first[k], NULL)
                == 1)
                return &f->choices[i];
    return NULL;
}

/* Before OpenSSL looks for a session to resume. */
static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const struct contexts *f = arg;
    struct event *event = SSL_get_app_data(ssl);
    struct slice name = server_name(ssl);
    const struct choice *choice = choose(f, name);
    bool refused = f->front->sni == SNI_REQUIRE
                   || (f->front->sni == SNI_KNOWN && name.length > 0);

    ERR_clear_error(); /* of names that are none */
    if (choice != NULL) {
        if (choice != &f->choices[0])
            SSL_set_SSL_CTX(ssl, choice->context);
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    if (!refused)
        return SSL_CLIENT_HELLO_SUCCESS;
    event_bytes_set(&event->sni, name.bytes, name.length);
    event_text_set(&event->reason,
                   name.length == 0
                       ? "the client sent no server name (SNI)"
                       : "no certificate covers the server name (SNI)");
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
}

struct contexts *
contexts_new(const struct config *config, const struct front *front,
             const uint8_t secret[TICKETS_SECRET_BYTES])
{
    struct contexts *f = calloc(1, sizeof *f);

    if (f == NULL) {
        log_error("port '%s': no memory", front->policy.name);
        return NULL;
    }
    f->config = config;
    f->front = front;
    for (size_t i = 0; i < front->certificate_count; i++) {
        SSL_CTX *context = make_context(f, &front->certificates[i], secret);

        if (context == NULL) {
            contexts_free(f);
            return NULL;
        }
        f->choices[f->count++] =
            (struct choice){context, SSL_CTX_get0_certificate(context)};
    }
    SSL_CTX_set_client_hello_cb(f->choices[0].context, on_client_hello, f);
    return f;
}

SSL_CTX *
contexts_first(const struct contexts *f)
{
    return f->choices[0].context;
}

void
contexts_free(struct contexts *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->count; i++)
        SSL_CTX_free(f->choices[i].context);
    free(f);
}
