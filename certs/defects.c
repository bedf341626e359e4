/* SPDX-License-Identifier: MPL-2.0 */
#include "certs/defects.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs/extensions.h"
#include "certs/hostname.h"

/* What RFC 2606 says that there is not. */
#define OTHER_HOST "wrong.host.invalid"

#define HOST_MAX        256
#define COMMON_NAME_MAX 64

/* In IANA's arc for examples (RFC 5612). */
#define UNKNOWN_EXTENSION "1.3.6.1.4.1.32473.1"

#define CRL_SIGN_BIT 6 /* of RFC 5280's KeyUsage */

/*
 * Names of `large`: so many bytes of them that the Certificate message takes
 * more than one record (16 KiB) and stays below 32 KiB, the most that JSSE
 * reads, whatever host names there are: 64 of 253 characters are 16 KB.
 */
#define NAMES_BYTES  20000
#define FILLER       "name-%05zu-only-takes-room.large.invalid"
#define FILLER_BYTES (sizeof "name-00000-only-takes-room.large.invalid" - 1)
#define TAG_BYTES    2 /* of a short name in DER */

struct hosts {
    char *const *names;
    size_t count;
};

static int
remove_extension(X509 *x509, int nid)
{
    int at = X509_get_ext_by_NID(x509, nid, -1);

    if (at >= 0)
        X509_EXTENSION_free(X509_delete_ext(x509, at));
    return 0;
}

/* Without its key usage, too: keyCertSign would be a second fault. */
static int
make_no_authority(X509 *x509, const struct hosts *hosts)
{
    (void)hosts;
    if (extensions_set_constraints(x509, false, -1) == -1)
        return -1;
    return remove_extension(x509, NID_key_usage);
}

/* Without its pathlen, too, which goes with keyCertSign only. */
static int
take_certsign(X509 *x509, const struct hosts *hosts)
{
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    int result = -1;

    (void)hosts;
    if (bits != NULL && ASN1_BIT_STRING_set_bit(bits, CRL_SIGN_BIT, 1)
        && extensions_set(x509, NID_key_usage, bits, true) == 0)
        result = extensions_set_constraints(x509, true, -1);
    ASN1_BIT_STRING_free(bits);
    return result;
}

/* The subtree of one host only (RFC 5280, 4.2.1.10). */
static int
set_subtree(GENERAL_NAME *base, const char *hostname)
{
    unsigned char range[32];
    size_t length = hostname_address(hostname, range);

    if (length == 0)
        return extensions_set_name(base, GEN_DNS, hostname, strlen(hostname));
    memset(range + length, 0xff, length);
    return extensions_set_name(base, GEN_IPADD, range, 2 * length);
}

static int
add_subtree(STACK_OF(GENERAL_SUBTREE) * subtrees, const char *hostname)
{
    GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();

    if (subtree != NULL && sk_GENERAL_SUBTREE_push(subtrees, subtree) > 0)
        return set_subtree(subtree->base, hostname);
    GENERAL_SUBTREE_free(subtree);
    return -1;
}

static int
constrain(X509 *x509, const struct hosts *hosts, bool exclude)
{
    NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
    STACK_OF(GENERAL_SUBTREE) *subtrees = sk_GENERAL_SUBTREE_new_null();
    int result = -1;

    if (constraints == NULL || subtrees == NULL) {
        sk_GENERAL_SUBTREE_free(subtrees);
        goto done;
    }
    if (exclude)
        constraints->excludedSubtrees = subtrees;
    else
        constraints->permittedSubtrees = subtrees;
    for (size_t i = 0; i < hosts->count; i++)
        if (add_subtree(subtrees, hosts->names[i]) == -1)
            goto done;
    result = extensions_set(x509, NID_name_constraints, constraints, true);

done:
    NAME_CONSTRAINTS_free(constraints);
    return result;
}

static int
exclude_hosts(X509 *x509, const struct hosts *hosts)
{
    return constrain(x509, hosts, true);
}

static int
permit_hosts(X509 *x509, const struct hosts *hosts)
{
    return constrain(x509, hosts, false);
}

static int
add_unknown(X509 *x509, const struct hosts *hosts)
{
    static const unsigned char null[] = {V_ASN1_NULL, 0};
    ASN1_OBJECT *object = OBJ_txt2obj(UNKNOWN_EXTENSION, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;
    int result = -1;

    (void)hosts;
    if (object != NULL && value != NULL
        && ASN1_OCTET_STRING_set(value, null, sizeof null))
        extension = X509_EXTENSION_create_by_OBJ(NULL, object, true, value);
    if (extension != NULL && X509_add_ext(x509, extension, -1))
        result = 0;
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
    return result;
}

/* One that is too long is left out, as in every certificate. */
static int
set_common_name(X509 *x509, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(x509);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (at >= 0)
        X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, at));
    if (strlen(name) > COMMON_NAME_MAX)
        return 0;
    return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)name, -1, -1, 0)
               ? 0
               : -1;
}

static int
set_only_name(X509 *x509, const char *name)
{
    char *const names[] = {(char *)name};

    return extensions_set_hostnames(x509, names, 1);
}

static int
set_other_host(X509 *x509, const struct hosts *hosts)
{
    (void)hosts;
    if (set_common_name(x509, OTHER_HOST) == -1)
        return -1;
    return set_only_name(x509, OTHER_HOST);
}

static int
drop_names(X509 *x509, const struct hosts *hosts)
{
    (void)hosts;
    return remove_extension(x509, NID_subject_alt_name);
}

/* The common name stays: it is the trap. */
static int
set_trap(X509 *x509, const struct hosts *hosts)
{
    (void)hosts;
    return set_only_name(x509, OTHER_HOST);
}

/*
 * The first half of the first label, and a star, for the first host name that
 * has a label: an address has none.  If there is no name at all, the wildcard
 * is one of nobody's.  In the common name, too: what falls back to that must
 * not find the host there.
 */
static int
set_wildcard(X509 *x509, const struct hosts *hosts)
{
    char wildcard[HOST_MAX] = "part*.host.invalid";
    unsigned char ip[16];

    for (size_t i = 0; i < hosts->count; i++) {
        const char *name = hosts->names[i];
        size_t label = strcspn(name, ".");

        if (hostname_address(name, ip) != 0 || name[0] == '*' || label == 0)
            continue;
        snprintf(wildcard, sizeof wildcard, "%.*s*%s", (int)(label + 1) / 2,
                 name, name + label);
        break;
    }
    if (set_common_name(x509, wildcard) == -1)
        return -1;
    return set_only_name(x509, wildcard);
}

/* Set the host names and some more, that are given by a function. */
static int
set_names(X509 *x509, const struct hosts *hosts, size_t more,
          void (*write)(char out[HOST_MAX], const char *hostname,
                        size_t number))
{
    size_t count = hosts->count + more;
    char(*texts)[HOST_MAX] = calloc(count, sizeof *texts);
    char **names = calloc(count, sizeof *names);
    int result = -1;

    for (size_t i = 0; texts != NULL && names != NULL && i < count; i++) {
        write(texts[i], i < hosts->count ? hosts->names[i] : NULL, i);
        names[i] = texts[i];
    }
    if (texts != NULL && names != NULL)
        result = extensions_set_hostnames(x509, names, count);
    free(names);
    free(texts);
    return result;
}

static void
write_capitals(char out[HOST_MAX], const char *hostname, size_t number)
{
    (void)number;
    snprintf(out, HOST_MAX, "%s", hostname);
    for (char *p = out; *p != '\0'; p++)
        *p = (char)toupper((unsigned char)*p);
}

static int
set_capitals(X509 *x509, const struct hosts *hosts)
{
    return set_names(x509, hosts, 0, write_capitals);
}

static int
make_authority(X509 *x509, const struct hosts *hosts)
{
    (void)hosts;
    return extensions_set_constraints(x509, true, -1);
}

static void
write_filler(char out[HOST_MAX], const char *hostname, size_t number)
{
    if (hostname != NULL)
        snprintf(out, HOST_MAX, "%s", hostname);
    else
        snprintf(out, HOST_MAX, FILLER, number);
}

static int
set_many_names(X509 *x509, const struct hosts *hosts)
{
    size_t bytes = 0;
    size_t more = 0;

    for (size_t i = 0; i < hosts->count; i++)
        bytes += TAG_BYTES + strlen(hosts->names[i]);
    if (bytes < NAMES_BYTES)
        more = (NAMES_BYTES - bytes) / (TAG_BYTES + FILLER_BYTES) + 1;
    return set_names(x509, hosts, more, write_filler);
}

static int (*const defects[DEFECT_COUNT])(X509 *, const struct hosts *) = {
    [DEFECT_NONE] = NULL,
    [DEFECT_NOT_CA] = make_no_authority,
    [DEFECT_NO_CERTSIGN] = take_certsign,
    [DEFECT_EXCLUDED] = exclude_hosts,
    [DEFECT_PERMITTED] = permit_hosts,
    [DEFECT_CRITICAL] = add_unknown,
    [DEFECT_WRONG_HOST] = set_other_host,
    [DEFECT_CN_ONLY] = drop_names,
    [DEFECT_CN_TRAP] = set_trap,
    [DEFECT_PARTIAL_WILDCARD] = set_wildcard,
    [DEFECT_CAPITALS] = set_capitals,
    [DEFECT_LEAF_CA] = make_authority,
    [DEFECT_MANY_NAMES] = set_many_names,
};

int
defects_apply(enum cert_defect defect, X509 *x509, char *const *hostnames,
              size_t count)
{
    const struct hosts hosts = {hostnames, count};

    if (defects[defect] == NULL)
        return 0;
    return defects[defect](x509, &hosts);
}
