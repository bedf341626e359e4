/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/health.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"

#define DEFAULT_URL  "http://127.0.0.1:50000/"
#define DEFAULT_PATH "/api/status"

#define SECONDS         5
#define REPLY_BYTES_MAX (1024 * 1024)
#define ADDRESSES_MAX   8

/* More than any port or instance can have; sums of it stay numbers. */
#define CONNECTIONS_MAX 1000000000
#define UPTIME_MAX      1e11

static const char not_ours[] = "the reply is not the status of a mapitest";

/* The URL */

static const char *
parse_authority(struct health_url *url)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-._:[]";
    const char *authority = url->authority;
    const char *bracket = strchr(authority, ']');
    const char *colon = strchr(bracket != NULL ? bracket : authority, ':');
    char text[sizeof url->authority + 4];
    struct net_address address;
    const char *problem;

    if (authority[strspn(authority, letters)] != '\0')
        return "has a character that no host has";
    snprintf(text, sizeof text, "%s%s", authority, colon == NULL ? ":80" : "");
    problem = net_split(text, url->host, &url->port);
    if (problem != NULL)
        return problem;
    if (*url->host == '\0' || strpbrk(url->host, "[]") != NULL)
        return "has no host";
    if (url->port == 0)
        return "has port 0";
    if ((*authority == '[') != (strchr(url->host, ':') != NULL)
        || (*authority == '[' && !net_numeric(url->host, 0, &address)))
        return "has no IPv6 address in its brackets";
    return NULL;
}

static const char *
parse_path(struct health_url *url, const char *text)
{
    if (*text == '\0' || strcmp(text, "/") == 0)
        text = DEFAULT_PATH;
    if (*text != '/')
        return "has no path";
    if (strlen(text) >= sizeof url->path)
        return "is too long";
    for (const char *at = text; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || *at == '#')
            return "has a character that no path has";
    strcpy(url->path, text);
    return NULL;
}

const char *
health_parse_url(const char *text, struct health_url *url)
{
    static const char scheme[] = "http://";
    size_t length;
    const char *problem;

    *url = (struct health_url){.port = 0};
    if (strncasecmp(text, scheme, strlen(scheme)) != 0)
        return "does not begin with http://";
    text += strlen(scheme);
    length = strcspn(text, "/?#");
    if (length >= sizeof url->authority)
        return "is too long";
    memcpy(url->authority, text, length);
    problem = parse_authority(url);
    return problem != NULL ? problem : parse_path(url, text + length);
}

/* The reply */

/* The status code of an HTTP/1.x reply; -1: it is none. */
static int
status_code(const char *reply, size_t length)
{
    static const char form[] = "HTTP/1.# ###";
    const char *code;

    if (length < sizeof form)
        return -1;
    code = reply + sizeof form - 4;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == '#' ? reply[i] < '0' || reply[i] > '9'
                           : reply[i] != form[i])
            return -1;
    if (code[3] != ' ' && code[3] != '\r')
        return -1;
    return (code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0';
}

/* Open connections of all ports; -1 if that is not what ports are. */
static json_int_t
count_connections(json_t *ports)
{
    json_int_t sum = 0;
    const char *name;
    json_t *port;

    json_object_foreach(ports, name, port)
    {
        const json_t *active = json_object_get(port, "active");
        json_int_t value = json_integer_value(active);

        if (!json_is_integer(active) || value < 0 || value > CONNECTIONS_MAX)
            return -1;
        sum += value;
    }
    return sum;
}

static void
time_text(double seconds, char out[48])
{
    long minutes = (long)(seconds / 60);
    long hours = minutes / 60;

    if (minutes < 1)
        snprintf(out, 48, "%d s", (int)seconds);
    else if (hours < 1)
        snprintf(out, 48, "%ld min", minutes);
    else if (hours < 24)
        snprintf(out, 48, "%ld h %ld min", hours, minutes % 60);
    else
        snprintf(out, 48, "%ld d %ld h", hours / 24, hours % 24);
}

static bool
judge_status(const json_t *status, char out[HEALTH_TEXT_MAX])
{
    json_t *ports = json_object_get(status, "ports");
    const json_t *up = json_object_get(status, "uptime_seconds");
    double seconds = json_number_value(up);
    json_int_t connections = count_connections(ports);
    size_t count = json_object_size(ports);
    char time[48];

    if (!json_is_object(ports) || !json_is_number(up) || connections < 0
        || seconds < 0 || seconds > UPTIME_MAX) {
        snprintf(out, HEALTH_TEXT_MAX, "%s", not_ours);
        return false;
    }
    if (count == 0) {
        snprintf(out, HEALTH_TEXT_MAX, "it has no ports");
        return false;
    }
    time_text(seconds, time);
    snprintf(out, HEALTH_TEXT_MAX,
             "%zu port%s, %" JSON_INTEGER_FORMAT " connection%s, up %s", count,
             count == 1 ? "" : "s", connections, connections == 1 ? "" : "s",
             time);
    return true;
}

bool
health_judge(const char *reply, size_t length, char out[HEALTH_TEXT_MAX])
{
    static const char end[] = "\r\n\r\n";
    int code = status_code(reply, length);
    const char *body = memmem(reply, length, end, strlen(end));
    json_t *status = NULL;
    bool healthy = false;

    if (length == 0) {
        snprintf(out, HEALTH_TEXT_MAX, "there is no reply");
    } else if (code == -1) {
        snprintf(out, HEALTH_TEXT_MAX, "the reply is not HTTP");
    } else if (code != 200) {
        snprintf(out, HEALTH_TEXT_MAX, "the reply is HTTP status %d", code);
    } else if (body == NULL) {
        snprintf(out, HEALTH_TEXT_MAX, "the reply is cut off");
    } else {
        body += strlen(end);
        status = json_loadb(body, length - (size_t)(body - reply),
                            JSON_REJECT_DUPLICATES, NULL);
        if (status == NULL)
            snprintf(out, HEALTH_TEXT_MAX, "the reply is not JSON");
        else
            healthy = judge_status(status, out);
    }
    json_decref(status);
    return healthy;
}

/* The request */

/* What is said if time is up; made beforehand, for the handler of a signal. */
static struct {
    char text[NET_HOST_MAX + 128];
    size_t length;
} too_late;

static void
on_alarm(int number)
{
    ssize_t n = write(STDOUT_FILENO, too_late.text, too_late.length);

    (void)number;
    (void)n;
    _exit(EXIT_FAILURE);
}

/* Every call may block, the resolver's in ways that nobody can bound: a signal
 * bounds them all. */
static void
limit_time(const struct health_url *url)
{
    struct sigaction action = {.sa_handler = on_alarm};
    sigset_t alarms;
    int n = snprintf(too_late.text, sizeof too_late.text,
                     "unhealthy: %s: no whole reply within %d seconds\n",
                     url->authority, SECONDS);

    too_late.length = (size_t)n;
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarms, NULL);
    alarm(SECONDS);
}

static void
await(int fd, short events)
{
    struct pollfd ready = {.fd = fd, .events = events};

    (void)poll(&ready, 1, -1);
}

/* A connected socket; -1 with the reason in out. */
static int
connect_to(const struct health_url *url, char out[HEALTH_TEXT_MAX])
{
    struct net_address addresses[ADDRESSES_MAX];
    const char *reason = "it has no address";
    int count =
        net_resolve(url->host, url->port, addresses, ADDRESSES_MAX, &reason);

    for (int i = 0; i < count; i++) {
        int fd = net_connect(&addresses[i]);
        int error = errno;

        if (fd != -1) {
            await(fd, POLLOUT);
            error = net_error(fd);
        }
        if (error == 0 && fd != -1)
            return fd;
        net_close(&fd);
        reason = strerror(error);
    }
    snprintf(out, HEALTH_TEXT_MAX, "%s", reason);
    return -1;
}

/* Read up to the end of file; the number of bytes, -1 with errno set, or more
 * than REPLY_BYTES_MAX if there are more. */
static ssize_t
read_reply(int fd, char *reply)
{
    size_t used = 0;

    while (used <= REPLY_BYTES_MAX) {
        ssize_t n = recv(fd, reply + used, REPLY_BYTES_MAX + 1 - used, 0);

        if (n == 0)
            break;
        if (n > 0)
            used += (size_t)n;
        else if (errno == EAGAIN)
            await(fd, POLLIN);
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)used;
}

static int
send_request(int fd, const struct health_url *url)
{
    char request[sizeof *url + 128];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.0\r\nHost: %s\r\n"
                          "Accept: application/json\r\n\r\n",
                          url->path, url->authority);

    /* The buffer of a new socket has room for all of it. */
    return send(fd, request, (size_t)length, MSG_NOSIGNAL) == length ? 0 : -1;
}

static bool
ask(const struct health_url *url, char out[HEALTH_TEXT_MAX])
{
    char *reply = malloc(REPLY_BYTES_MAX + 1);
    bool healthy = false;
    ssize_t length = -1;
    int fd = -1;

    if (reply == NULL) {
        snprintf(out, HEALTH_TEXT_MAX, "no memory");
        goto done;
    }
    fd = connect_to(url, out);
    if (fd == -1)
        goto done;
    if (send_request(fd, url) == 0)
        length = read_reply(fd, reply);
    if (length == -1)
        snprintf(out, HEALTH_TEXT_MAX, "%s", strerror(errno));
    else if (length > REPLY_BYTES_MAX)
        snprintf(out, HEALTH_TEXT_MAX, "the reply is longer than 1 MiB");
    else
        healthy = health_judge(reply, (size_t)length, out);

done:
    net_close(&fd);
    free(reply);
    return healthy;
}

int
health_run(const char *text)
{
    char reason[HEALTH_TEXT_MAX];
    char shown[256];
    struct health_url url;
    const char *problem;
    bool healthy;

    if (text == NULL)
        text = getenv("MAPITEST_HEALTH_URL");
    if (text == NULL || *text == '\0')
        text = DEFAULT_URL;
    problem = health_parse_url(text, &url);
    if (problem != NULL) {
        log_escape(shown, sizeof shown, text, strlen(text));
        printf("unhealthy: '%s' %s\n", shown, problem);
        return EXIT_FAILURE;
    }
    limit_time(&url);
    healthy = ask(&url, reason);
    alarm(0);
    if (healthy)
        printf("healthy: %s\n", reason);
    else
        printf("unhealthy: %s: %s\n", url.authority, reason);
    return healthy ? EXIT_SUCCESS : EXIT_FAILURE;
}
