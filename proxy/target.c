/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/target.h"

#include <stdio.h>
#include <string.h>

/* True if every byte may stand in a host's name or number. */
static bool
is_host(const char *host)
{
    for (; *host != '\0'; host++)
        if (*host <= 0x20 || *host >= 0x7f || strchr("[]\"\\,;@?#", *host))
            return false;
    return true;
}

const char *
target_parse(struct target *target, const char *text)
{
    const char *problem;

    if (strchr(text, '/') != NULL)
        return "is a path, and must be HOST:PORT";
    problem = net_split(text, target->host, &target->port);
    if (problem != NULL)
        return problem;
    if (*target->host == '\0')
        return "has no host";
    if (!is_host(target->host))
        return "the host has a character that none can have";
    target->set = true;
    return NULL;
}

/* Paths are shown in logs and JSON: what cannot be shown is not taken. */
static bool
is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < 0x20 || *text >= 0x7f)
            return false;
    return true;
}

const char *
target_parse_backend(struct target *target, const char *text)
{
    const char *problem;

    if (strchr(text, '/') == NULL) {
        problem = target_parse(target, text);
        target->set = problem == NULL && target->port != 0;
        return problem == NULL && target->port == 0 ? "has port 0" : problem;
    }
    if (*text != '/')
        return "is no absolute path: a Unix socket's begins with '/'";
    if (strlen(text) > NET_PATH_MAX)
        return "is longer than the path of a Unix socket can be (107 bytes)";
    if (!is_printable(text))
        return "has a character that is not printable ASCII";
    strcpy(target->host, text);
    target->port = 0;
    target->set = true;
    return NULL;
}

char *
target_text(const struct target *target, char out[TARGET_TEXT_MAX])
{
    const char *format = "%s:%u";

    if (target_is_path(target))
        format = "%s";
    else if (strchr(target->host, ':') != NULL)
        format = "[%s]:%u";
    snprintf(out, TARGET_TEXT_MAX, format, target->host, target->port);
    return out;
}
