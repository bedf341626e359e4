/*
 * fuzz_options.c - the command line: arguments, addresses, the layout
 *
 * Input: the arguments, each ended by a newline or a NUL.
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"
#include "certs/hostname.h"
#include "proxy/layout.h"
#include "proxy/options.h"
#include "tests/fuzz/fuzz.h"

#define ARGUMENTS_MAX 200

/* What the program would write, kept in memory while it is caught. */
static struct capture {
    FILE *out, *err; /* the real ones */
    char *out_text, *err_text;
    size_t out_length, err_length;
} capture;

static void
begin_capture(void)
{
    capture = (struct capture){.out = stdout, .err = stderr};
    stdout = open_memstream(&capture.out_text, &capture.out_length);
    stderr = open_memstream(&capture.err_text, &capture.err_length);
    REQUIRE(stdout != NULL && stderr != NULL);
}

static void
end_capture(void)
{
    fclose(stdout);
    fclose(stderr);
    stdout = capture.out;
    stderr = capture.err;
}

static bool
is_one_line(const char *text)
{
    const char *newline = strchr(text, '\n');

    return newline != NULL && newline > text && newline[1] == '\0';
}

static void
check_target(const struct target *target)
{
    if (!target->set)
        return;
    REQUIRE(*target->host != '\0' && strlen(target->host) < NET_HOST_MAX);
    REQUIRE(target_is_path(target) == (target->port == 0));
    REQUIRE(!target_is_path(target) || strlen(target->host) <= NET_PATH_MAX);
}

static void
check_timer(double seconds)
{
    REQUIRE(seconds >= 0 && seconds <= 366 * 24 * 3600.0);
}

static void
check_settings(const struct settings *s)
{
    REQUIRE(s->serve == (s->tester || s->config != NULL));
    REQUIRE(!s->check || s->config != NULL);
    REQUIRE(s->http_connections >= 1 && s->http_connections <= 10000);
    REQUIRE(s->log_format < LOG_FORMATS);
    REQUIRE(s->serve || s->write_directory != NULL);
    REQUIRE(s->hostname_count >= 1 && s->hostname_count <= SETTINGS_LIST_MAX);
    REQUIRE(s->listen_count <= SETTINGS_LIST_MAX);
    REQUIRE(s->workers >= 1 && s->workers <= WORKERS_MAX);
    REQUIRE(s->groups != 0 && s->groups < 1u << GROUP_COUNT);
    REQUIRE(!s->sequential || s->base_port != 0);
    REQUIRE(s->renew_after >= 1);
    check_timer(s->timers.handshake);
    check_timer(s->timers.connect);
    check_timer(s->timers.first_byte);
    check_timer(s->timers.idle);
    check_timer(s->timers.stall);
    check_timer(s->timers.half_closed);
    check_timer(s->timers.linger);
    check_timer(s->timers.drain);
    check_timer(s->timers.silence);
    REQUIRE(s->timers.silence > 0);
    check_target(&s->forward);
    check_target(&s->backend);
    for (size_t i = 0; i < s->hostname_count; i++)
        (void)hostname_flaw(s->hostnames[i]);
}

/* Every number once, as the server has it and as clients see it. */
static void
check_numbers(const struct layout *layout)
{
    for (size_t i = 0; i < layout->count; i++) {
        uint16_t number = layout->ports[i].number;

        if (number == 0)
            continue;
        REQUIRE(number != layout->base);
        REQUIRE(layout_advertised(layout, number)
                == number + layout->advertise);
        for (size_t k = 0; k < i; k++)
            REQUIRE(layout->ports[k].number != number);
    }
}

static void
check_layout(const struct settings *s)
{
    char reason[256] = "";
    struct layout layout;

    if (layout_plan(&layout, s, reason, sizeof reason) == -1) {
        REQUIRE(*reason != '\0');
        return;
    }
    REQUIRE(layout.base == s->base_port && layout.count <= PORTS_MAX);
    check_numbers(&layout);
    for (size_t i = 0; i < layout.count; i++) {
        const struct port_policy *policy = layout.ports[i].policy;

        REQUIRE(layout_find(&layout, policy->name) == &layout.ports[i]);
        REQUIRE(!policy->forward || s->forward.set);
        REQUIRE(!policy->simulator || !s->backend.set);
        REQUIRE(!policy->trusted || s->trusted_chain != NULL);
        REQUIRE(policy->target == NULL
                || layout_find(&layout, policy->target) != NULL);
        REQUIRE(!s->sequential || policy->forward
                || layout.ports[i].number != 0);
    }
    for (size_t i = 0; i < s->assignment_count; i++) {
        const struct port *port = layout_find(&layout, s->assignments[i].name);

        REQUIRE(port == NULL || port->number == s->assignments[i].port);
    }
}

/* An address is split into what makes the same address again. */
static void
check_address(const char *text)
{
    char host[NET_HOST_MAX];
    char again[NET_HOST_MAX + 16];
    char shown[NET_TEXT_MAX];
    struct net_address address;
    uint16_t port = 0;
    uint16_t number;
    const char *flaw = net_split(text, host, &port);

    if (net_parse_port(text, &number)) {
        REQUIRE(strspn(text, "0123456789") == strlen(text));
        REQUIRE(atol(text) == number);
    }
    if (flaw != NULL) {
        REQUIRE(fuzz_is_printable(flaw));
        return;
    }
    REQUIRE(strlen(host) < NET_HOST_MAX);
    snprintf(again, sizeof again, *text == '[' ? "[%s]:" : "%s:", host);
    REQUIRE(strncmp(text, again, strlen(again)) == 0);
    REQUIRE(atol(text + strlen(again)) == port);
    if (!net_numeric(host, port, &address))
        return;
    net_text(&address, shown);
    REQUIRE(net_port(&address) == port);
    REQUIRE(net_split(shown, host, &number) == NULL && number == port);
}

static int
split(char *text, size_t length, char **argv)
{
    int argc = 0;

    argv[argc++] = (char *)"mapitest";
    for (size_t at = 0; at < length && argc < ARGUMENTS_MAX;) {
        argv[argc++] = text + at;
        at += strlen(text + at) + 1;
    }
    argv[argc] = NULL;
    return argc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *argv[ARGUMENTS_MAX + 1];
    char *text = malloc(length + 1);
    struct settings settings;
    enum options_result result;
    int argc;

    REQUIRE(text != NULL);
    if (length > 0)
        memcpy(text, bytes, length);
    text[length] = '\0';
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\n')
            text[i] = '\0';
    argc = split(text, length, argv);
    for (int i = 1; i < argc; i++)
        check_address(argv[i]);

    begin_capture();
    result = options_parse(&settings, argc, argv);
    end_capture();
    REQUIRE((result == OPTIONS_USAGE) == (capture.err_length > 0));
    REQUIRE((result == OPTIONS_DONE) == (capture.out_length > 0));
    if (result == OPTIONS_USAGE)
        REQUIRE(is_one_line(capture.err_text));
    /* The program's own name is nobody's culprit. */
    REQUIRE(strcmp(capture.err_text,
                   "mapitest: mapitest is not an option, or is ambiguous "
                   "(see mapitest --help)\n")
            != 0);
    if (result == OPTIONS_RUN && settings.health) {
        REQUIRE(argc <= 3 && !settings.serve);
    } else if (result == OPTIONS_RUN) {
        check_settings(&settings);
        check_layout(&settings);
    }
    free(capture.out_text);
    free(capture.err_text);
    free(text);
    return 0;
}
