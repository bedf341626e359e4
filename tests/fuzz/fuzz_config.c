/*
 * fuzz_config.c - the configuration file
 *
 * Input: the file.  What is refused is refused in one line, with a place in the
 * file; what is taken keeps the header's promises.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proxy/config.h"
#include "tests/fuzz/fuzz.h"

#define PATH "/etc/mapitest/mapitest.json"

static const struct settings settings = {
    .timers = {.handshake = 10, .connect = 10, .linger = 2, .drain = 5},
};

/* Standard error goes to a file; returns the real one. */
static int
begin_capture(int log)
{
    int real = dup(STDERR_FILENO);

    REQUIRE(real != -1 && ftruncate(log, 0) == 0);
    REQUIRE(lseek(log, 0, SEEK_SET) == 0);
    REQUIRE(dup2(log, STDERR_FILENO) == STDERR_FILENO);
    return real;
}

static void
end_capture(int real)
{
    REQUIRE(dup2(real, STDERR_FILENO) == STDERR_FILENO);
    close(real);
}

/* Lines of the file: an error names one of them. */
static long
count_lines(const uint8_t *bytes, size_t length)
{
    long lines = 1;

    for (size_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    return lines;
}

static void
check_error(int log, long lines)
{
    static const char begin[] = "mapitest: error: " PATH ":";
    char text[4097];
    ssize_t n = pread(log, text, sizeof text - 1, 0);
    char *end;
    long line;

    REQUIRE(n > 0 && text[n - 1] == '\n');
    text[n - 1] = '\0';
    REQUIRE(fuzz_is_printable(text));
    REQUIRE(strncmp(text, begin, strlen(begin)) == 0);
    line = strtol(text + strlen(begin), &end, 10);
    REQUIRE(line >= 1 && line <= lines);
    REQUIRE(end[0] == ':' && end[1] == ' ' && end[2] != '\0');
}

static void
check_targets(const struct target *targets, size_t count, bool any)
{
    REQUIRE(count <= FRONT_TARGETS_MAX && count <= FRONT_LISTEN_MAX);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(targets[i].set && *targets[i].host != '\0');
        REQUIRE(fuzz_is_printable(targets[i].host));
        REQUIRE(any || target_is_path(&targets[i]) == (targets[i].port == 0));
        REQUIRE(!target_is_path(&targets[i])
                || (!any && strlen(targets[i].host) <= NET_PATH_MAX));
    }
}

static void
check_file(const struct operator_file *file, const struct front *front,
           long lines)
{
    REQUIRE(file->fd == -1);
    if (file->path == NULL)
        return;
    REQUIRE(file->path[0] == '/');
    REQUIRE(file->line >= front->line && file->line <= lines);
}

static void
check_timers(const struct timers *timers)
{
    const double all[] = {timers->handshake,  timers->connect,
                          timers->first_byte, timers->idle,
                          timers->stall,      timers->half_closed,
                          timers->keepalive};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        REQUIRE(all[i] >= 0 && all[i] <= 366 * 24 * 3600);
    REQUIRE(timers->linger == 2 && timers->drain == 5);
}

static void
check_front(const struct front *front, long lines)
{
    const struct port_policy *policy = &front->policy;
    bool tls = front->certificate_count > 0;

    REQUIRE(front->line >= 1 && front->line <= lines);
    REQUIRE(policy->front == front && policy->group == GROUP_CONFIGURED);
    REQUIRE(*policy->name != '\0' && strlen(policy->name) < 64);
    REQUIRE(fuzz_is_printable(policy->name) && port_find(policy->name) == NULL);
    REQUIRE(fuzz_is_printable(policy->rule));
    REQUIRE(tls == port_has_tls(policy) && tls == policy->tickets);
    REQUIRE(policy->tls_min <= policy->tls_max);
    REQUIRE(front->listen_count > 0);
    check_targets(front->listen, front->listen_count, true);
    REQUIRE(front->simulator == (front->target_count == 0));
    check_targets(front->targets, front->target_count, false);
    REQUIRE((front->client_certificate != CLIENT_CERTIFICATE_NONE)
            == (front->client_ca.path != NULL));
    REQUIRE(tls || front->client_ca.path == NULL);
    REQUIRE(tls || front->redirects != REDIRECTS_REWRITE);
    check_file(&front->client_ca, front, lines);
    for (size_t i = 0; i < FRONT_CERTIFICATES_MAX; i++) {
        const struct operator_certificate *c = &front->certificates[i];

        REQUIRE((c->chain.path != NULL) == (i < front->certificate_count));
        REQUIRE((c->key.path != NULL) == (i < front->certificate_count));
        check_file(&c->chain, front, lines);
        check_file(&c->key, front, lines);
    }
    check_timers(&front->timers);
}

static void
check_config(const struct config *config, long lines)
{
    REQUIRE(config->front_count >= 1);
    REQUIRE(config->front_count <= CONFIG_FRONTS_MAX);
    REQUIRE(config->resolve_seconds >= 1 && config->resolve_seconds <= 86400);
    check_targets(config->http, config->http_count, true);
    for (size_t i = 0; i < config->front_count; i++) {
        check_front(&config->fronts[i], lines);
        for (size_t k = 0; k < i; k++)
            REQUIRE(strcmp(config->fronts[i].policy.name,
                           config->fronts[k].policy.name)
                    != 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static int log = -1;
    struct fuzz_input input = {bytes, length};
    size_t size;
    char *text = (char *)fuzz_take(&input, length, &size);
    long lines = count_lines(bytes, length);
    struct config *config;
    char byte;
    int free_descriptor;
    int real;

    if (log == -1)
        log = memfd_create("log", MFD_CLOEXEC);
    REQUIRE(log != -1);
    free_descriptor = fuzz_free_descriptor();
    real = begin_capture(log);
    config = config_parse(PATH, text, size, &settings);
    end_capture(real);
    free(text); /* the configuration has its own */
    if (config == NULL) {
        check_error(log, lines);
    } else {
        REQUIRE(pread(log, &byte, 1, 0) == 0);
        check_config(config, lines);
    }
    config_free(config);
    REQUIRE(fuzz_free_descriptor() == free_descriptor);
    return 0;
}
