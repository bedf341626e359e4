/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/checker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "proxy/channel.h"
#include "proxy/contexts.h"

static int
check_files(const struct config *config)
{
    uint8_t no_secret[TICKETS_SECRET_BYTES] = {0};

    for (size_t i = 0; i < config->front_count; i++) {
        struct contexts *contexts = NULL;

        if (config->fronts[i].certificate_count == 0)
            continue;
        contexts = contexts_new(config, &config->fronts[i], no_secret);
        if (contexts == NULL)
            return -1;
        contexts_free(contexts);
    }
    return 0;
}

int
checker_check(struct edition *edition)
{
    if (edition->config == NULL) /* the port table, resolved already */
        return check_files(edition->trusted);
    return check_files(edition->config) == -1 ? -1 : edition_resolve(edition);
}

int
checker_report(struct edition *edition, int channel)
{
    struct message failed = {.kind = MESSAGE_FAILED};
    const struct message fit = {.kind = MESSAGE_READY};

    if (checker_check(edition) == -1) {
        log_cut(failed.text, sizeof failed.text, log_last_error());
        (void)channel_push(channel, &failed);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < edition->backend_count; i++)
        if (channel_push_backend(channel, i, &edition->backends[i]) == -1)
            return EXIT_FAILURE;
    return channel_push(channel, &fit) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Read until the checker has said its last word; true if that is READY. */
static bool
listen_to_checker(struct edition *edition, int channel,
                  char why[CHECKER_WHY_MAX])
{
    struct pollfd poll_fd = {.fd = channel, .events = POLLIN};
    struct message message;
    bool ready = false;
    int fd;

    while (true) {
        if (poll(&poll_fd, 1, -1) == -1 && errno != EINTR)
            return false;
        switch (channel_receive(channel, &message, &fd)) {
        case MESSAGE_GONE:
            return ready;
        case MESSAGE_READY:
            ready = true;
            break;
        case MESSAGE_RESOLVED:
            edition_take_addresses(edition, message.backend, message.addresses,
                                   message.count);
            break;
        case MESSAGE_FAILED: /* logged by who found it */
            if (why != NULL)
                log_cut(why, CHECKER_WHY_MAX, message.text);
            break;
        default:
            break;
        }
        net_close(&fd);
    }
}

int
checker_run(struct edition *edition, const struct privileges *privileges,
            char why[CHECKER_WHY_MAX])
{
    pid_t master = getpid();
    int pair[2];
    pid_t pid;
    bool ready;

    if (why != NULL)
        log_cut(why, CHECKER_WHY_MAX, "it could not be checked");
    if (channel_pair(pair) == -1 || (pid = fork()) == -1) {
        log_errno("cannot start a process to check the configuration");
        return -1;
    }
    if (pid == 0) {
        close(pair[0]);
        if (privileges_drop_in_child(privileges, master) == -1)
            _exit(EXIT_FAILURE);
        sandbox_forbid_dumps();
        if (sandbox_enter(SANDBOX_NAMES, NULL) == -1)
            _exit(EXIT_FAILURE);
        _exit(checker_report(edition, pair[1]));
    }
    close(pair[1]);
    ready = listen_to_checker(edition, pair[0], why);
    close(pair[0]);
    while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
        continue;
    return ready ? 0 : -1;
}
