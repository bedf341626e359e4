/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/config_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NAME_MAX_BYTES 63
#define NAME_CHARACTERS                                                        \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/*
 * Classic names are known too well to mean anything else.  Others are taken
 * only while they are open: `large` may be what an operator calls a port.
 */
static bool
is_taken(const struct config *config, const char *name)
{
    const struct port_policy *row = port_find(name);

    if (row == NULL)
        return strcmp(name, "base") == 0;
    return row->group == GROUP_CLASSIC
           || (config->table_groups & 1u << row->group) != 0;
}

static int
take_name(struct config *config, const struct place *place, void *out)
{
    struct front *front = out;
    const char *name = NULL;
    const char *problem = NULL;

    if (config_take_string(config, place, &name) == -1)
        return -1;
    if (strlen(name) > NAME_MAX_BYTES)
        problem = "is longer than 63 bytes";
    else if (name[strspn(name, NAME_CHARACTERS)] != '\0')
        problem = "has other characters than A-Z a-z 0-9 _ . -";
    else if (is_taken(config, name))
        problem = "is the name of a port of the port table";
    for (size_t i = 0; i < config->front_count && problem == NULL; i++)
        if (config->fronts[i].policy.name != NULL
            && strcmp(config->fronts[i].policy.name, name) == 0)
            problem = "is another port's name already";
    if (problem != NULL)
        return config_fail_shown(config, place, problem);
    front->policy.name = name;
    return 0;
}

static int
take_listener(struct config *config, const struct place *place, void *out)
{
    struct front *front = out;

    if (config_take_listener(config, place, &front->listen[front->listen_count])
        == -1)
        return -1;
    front->listen_count++;
    return 0;
}

static int
take_listen(struct config *config, const struct place *place, void *out)
{
    return config_take_list(config, place, FRONT_LISTEN_MAX, take_listener,
                            out);
}

static int
take_certificate(struct config *config, const struct place *place, void *out)
{
    static const struct config_key keys[] = {
        {"chain", config_take_file,
         offsetof(struct operator_certificate, chain), true},
        {"key", config_take_file, offsetof(struct operator_certificate, key),
         false},
    };
    struct front *front = out;
    struct operator_certificate *certificate =
        &front->certificates[front->certificate_count];

    if (config_take_object(config, place, keys, COUNT(keys), certificate) == -1)
        return -1;
    if (certificate->key.path == NULL)
        certificate->key = certificate->chain;
    front->certificate_count++;
    return 0;
}

static int
take_certificates(struct config *config, const struct place *place, void *out)
{
    return config_take_list(config, place, FRONT_CERTIFICATES_MAX,
                            take_certificate, out);
}

/* It is not stored: a port without certificates is plain. */
static int
take_plain(struct config *config, const struct place *place, void *out)
{
    bool plain;

    (void)out;
    return config_take_bool(config, place, &plain);
}

static int
take_version(struct config *config, const struct place *place, void *out)
{
    static const char *const words[] = {"1.2", "1.3"};
    static const int versions[] = {PORT_TLS_1_2, PORT_TLS_1_3};
    int word;

    if (config_take_word(config, place, words, COUNT(words), &word) == -1)
        return -1;
    *(int *)out = versions[word];
    return 0;
}

static int
take_tls(struct config *config, const struct place *place, void *out)
{
    static const struct config_key keys[] = {
        {"min", take_version, offsetof(struct front, policy.tls_min), false},
        {"max", take_version, offsetof(struct front, policy.tls_max), false},
        {"ciphers", config_take_string, offsetof(struct front, ciphers), false},
        {"ciphersuites", config_take_string,
         offsetof(struct front, ciphersuites), false},
        {"groups", config_take_string, offsetof(struct front, groups), false},
    };
    struct front *front = out;
    struct place min;

    if (config_take_object(config, place, keys, COUNT(keys), out) == -1)
        return -1;
    /* By default all is allowed: it takes both to exclude all. */
    if (front->policy.tls_min > front->policy.tls_max
        && place_member(place, "min", &min))
        return config_fail_shown(config, &min, "is above max");
    return 0;
}

static int
take_client_certificate(struct config *config, const struct place *place,
                        void *out)
{
    static const char *const words[] = {
        [CLIENT_CERTIFICATE_NONE] = "none",
        [CLIENT_CERTIFICATE_OPTIONAL] = "optional",
        [CLIENT_CERTIFICATE_REQUIRED] = "required",
    };
    int word;

    if (config_take_word(config, place, words, COUNT(words), &word) == -1)
        return -1;
    *(enum client_certificate *)out = (enum client_certificate)word;
    return 0;
}

static int
take_alpn(struct config *config, const struct place *place, void *out)
{
    static const char *const words[] = {
        [ALPN_SELECT] = "select",
        [ALPN_REQUIRE] = "require",
        [ALPN_IGNORE] = "ignore",
    };
    int word;

    if (config_take_word(config, place, words, COUNT(words), &word) == -1)
        return -1;
    *(enum alpn_rule *)out = (enum alpn_rule)word;
    return 0;
}

static int
take_sni(struct config *config, const struct place *place, void *out)
{
    static const char *const words[] = {
        [SNI_ANY] = "any",
        [SNI_KNOWN] = "known",
        [SNI_REQUIRE] = "require",
    };
    int word;

    if (config_take_word(config, place, words, COUNT(words), &word) == -1)
        return -1;
    *(enum sni_rule *)out = (enum sni_rule)word;
    return 0;
}

static int
take_redirects(struct config *config, const struct place *place, void *out)
{
    static const char *const words[] = {
        [REDIRECTS_PASS] = "pass",
        [REDIRECTS_REFUSE] = "refuse",
        [REDIRECTS_REWRITE] = "rewrite",
    };
    int word;

    if (config_take_word(config, place, words, COUNT(words), &word) == -1)
        return -1;
    *(enum redirects *)out = (enum redirects)word;
    return 0;
}

static int
take_target(struct config *config, const struct place *place, void *out)
{
    struct front *front = out;

    if (config_take_backend(config, place, &front->targets[front->target_count])
        == -1)
        return -1;
    front->target_count++;
    return 0;
}

static int
take_backend(struct config *config, const struct place *place, void *out)
{
    struct front *front = out;

    if (json_is_string(place->value)) {
        front->simulator =
            strcmp(json_string_value(place->value), "simulator") == 0;
        return front->simulator ? 0 : take_target(config, place, out);
    }
    if (!json_is_array(place->value))
        return config_fail(config, place, "is neither a string nor a list");
    return config_take_list(config, place, FRONT_TARGETS_MAX, take_target, out);
}

static int
take_network(struct config *config, const struct place *place, void *out)
{
    const char *problem;
    const char *text = NULL;

    if (config_take_string(config, place, &text) == -1)
        return -1;
    problem = networks_add(out, text);
    return problem == NULL ? 0 : config_fail_shown(config, place, problem);
}

static int
take_networks(struct config *config, const struct place *place, void *out)
{
    return config_take_list(config, place, NETWORKS_MAX, take_network, out);
}

/* Fails at the first of these keys that the port has. */
static int
refuse_keys(struct config *config, const struct place *port,
            const char *const *keys, size_t count, const char *why)
{
    struct place member;

    for (size_t i = 0; i < count; i++)
        if (place_member(port, keys[i], &member))
            return config_fail(config, &member, "%s", why);
    return 0;
}

/* What single keys cannot know of one another. */
static int
check_together(struct config *config, const struct place *port,
               const struct front *front)
{
    static const char *const tls_only[] = {
        "certificates", "tls", "client_certificate", "client_ca",
        "alpn",         "sni", "connect_early"};
    static const char *const send_proxy[] = {"send_proxy"};
    static const char *const redirects[] = {"redirects"};
    static const char *const client_ca[] = {"client_ca"};
    bool plain = front->certificate_count == 0;
    bool asked = front->client_certificate != CLIENT_CERTIFICATE_NONE;
    struct place member;

    if (json_is_true(json_object_get(port->value, "plain"))) {
        if (refuse_keys(config, port, tls_only, COUNT(tls_only),
                        "has no meaning with \"plain\": there is no TLS")
            == -1)
            return -1;
    } else if (front->certificate_count == 0) {
        return config_fail(config, port,
                           "has neither \"certificates\" nor \"plain\": true");
    }
    if (asked && front->client_ca.path == NULL
        && place_member(port, "client_certificate", &member))
        return config_fail(config, &member, "needs a \"client_ca\"");
    if (!asked
        && refuse_keys(config, port, client_ca, COUNT(client_ca),
                       "has no meaning: \"client_certificate\" is \"none\"")
               == -1)
        return -1;
    if (front->connect_early && (asked || front->alpn == ALPN_REQUIRE)
        && place_member(port, "connect_early", &member))
        return config_fail(config, &member,
                           "would let in who is refused later: a client "
                           "certificate or ALPN is asked for");
    if (plain && front->redirects == REDIRECTS_REWRITE
        && place_member(port, "redirects", &member))
        return config_fail(config, &member,
                           "would send clients back here under TLS, which "
                           "this port does not speak");
    if (front->simulator
        && (refuse_keys(config, port, send_proxy, COUNT(send_proxy),
                        "has no meaning: the simulator always gets one")
                == -1
            || refuse_keys(config, port, redirects, COUNT(redirects),
                           "has no meaning: the simulator redirects nobody")
                   == -1))
        return -1;
    return 0;
}

static const char *
versions_text(const struct port_policy *policy)
{
    if (policy->tls_max == PORT_TLS_1_2)
        return "TLS 1.2";
    return policy->tls_min == PORT_TLS_1_3 ? "TLS 1.3" : "TLS 1.2 to 1.3";
}

/* All of it in words, as the rows of the port table have it. */
static char *
rule(const struct front *front)
{
    static const char *const client_certificate[] = {
        [CLIENT_CERTIFICATE_NONE] = "",
        [CLIENT_CERTIFICATE_OPTIONAL] = ", client certificate asked for",
        [CLIENT_CERTIFICATE_REQUIRED] = ", client certificate required",
    };
    static const char *const sni[] = {
        [SNI_ANY] = "",
        [SNI_KNOWN] = ", server name (SNI) of a certificate if there is one",
        [SNI_REQUIRE] = ", server name (SNI) required, one of a certificate",
    };
    static const char *const alpn[] = {
        [ALPN_SELECT] = "",
        [ALPN_REQUIRE] = ", closed after the handshake unless ALPN mapi/9",
        [ALPN_IGNORE] = ", ALPN ignored",
    };
    static const char *const redirects[2][3] = {
        {[REDIRECTS_REFUSE] = ", redirects out of TLS refused"},
        {[REDIRECTS_PASS] = ", redirects out of TLS passed on",
         [REDIRECTS_REWRITE] = ", redirects to the backend rewritten"},
    };
    const struct port_policy *policy = &front->policy;
    bool tls = port_has_tls(policy);
    const char *redirected = redirects[tls][front->redirects];
    char *text;

    if (front->simulator || redirected == NULL)
        redirected = "";
    if (asprintf(&text, "%s%s%s%s%s%s, relayed to %s",
                 tls ? versions_text(policy) : "no TLS",
                 client_certificate[front->client_certificate], sni[front->sni],
                 alpn[front->alpn],
                 front->accept_proxy.count > 0
                     ? ", PROXY header required of load balancers"
                     : "",
                 redirected, front->simulator ? "the simulator" : "its backend")
        == -1)
        return NULL;
    return text;
}

/* What the port is for code that also knows the port table. */
static int
set_policy(struct config *config, struct front *front)
{
    struct port_policy *policy = &front->policy;
    char *text;

    if (front->certificate_count == 0)
        policy->tls_min = policy->tls_max = 0;
    policy->group = GROUP_CONFIGURED;
    policy->sni_required = front->sni == SNI_REQUIRE;
    policy->alpn_required = front->alpn == ALPN_REQUIRE;
    policy->tickets = port_has_tls(policy);
    policy->expect = EXPECT_ACCEPT;
    policy->front = front;
    text = rule(front);
    policy->rule = config_keep(config, text);
    free(text);
    return policy->rule != NULL ? 0 : -1;
}

int
config_take_port(struct config *config, const struct place *place, void *out)
{
    static const struct config_key keys[] = {
        {"name", take_name, 0, true},
        {"listen", take_listen, 0, true},
        {"certificates", take_certificates, 0, false},
        {"plain", take_plain, 0, false},
        {"tls", take_tls, 0, false},
        {"client_certificate", take_client_certificate,
         offsetof(struct front, client_certificate), false},
        {"client_ca", config_take_file, offsetof(struct front, client_ca),
         false},
        {"alpn", take_alpn, offsetof(struct front, alpn), false},
        {"sni", take_sni, offsetof(struct front, sni), false},
        {"backend", take_backend, 0, true},
        {"redirects", take_redirects, offsetof(struct front, redirects), false},
        {"connect_early", config_take_bool,
         offsetof(struct front, connect_early), false},
        {"send_proxy", config_take_bool, offsetof(struct front, send_proxy),
         false},
        {"accept_proxy", take_networks, offsetof(struct front, accept_proxy),
         false},
        {"timers", config_take_timers, offsetof(struct front, timers), false},
        {"limits", config_take_limits, offsetof(struct front, limits), false},
    };
    struct front *front = out;

    front->line = place->line;
    front->timers = config->timers;
    front->policy.tls_min = PORT_TLS_1_2;
    front->policy.tls_max = PORT_TLS_1_3;
    if (config_take_object(config, place, keys, COUNT(keys), front) == -1)
        return -1;
    if (front->certificate_count > 0
        && json_object_get(place->value, "redirects") == NULL)
        front->redirects = REDIRECTS_REFUSE;
    if (check_together(config, place, front) == -1)
        return -1;
    return set_policy(config, front);
}
