/* SPDX-License-Identifier: MPL-2.0 */
#include "proxy/http_exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proxy/urlpath.h"

#define PATH_ROOM 512

/* A small answer is given however many are unread; there are as many as there
 * are connections.  Large ones together have so many bytes. */
#define ANSWER_SMALL (64 * 1024)
#define UNREAD_MOST  (16 * 1024 * 1024)

/* A request, from its first line to the end of its answer. */
struct exchange {
    struct http *http;
    struct MHD_Connection *connection;
    bool seen;   /* its headers */
    bool waited; /* it was held */
    size_t length;
    char target[]; /* as it came, with the query */
};

static struct age *
age_of(const struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        exchange->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info->socket_context;
}

static int
socket_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection,
                                   MHD_CONNECTION_INFO_CONNECTION_FD)
        ->connect_fd;
}

/* A request line has come: keep it whole, as libmicrohttpd takes it apart. */
void *
exchange_begin(void *cls, const char *target, struct MHD_Connection *connection)
{
    size_t length = strlen(target);
    struct exchange *exchange = malloc(sizeof *exchange + length + 1);

    if (exchange == NULL)
        return NULL;
    *exchange = (struct exchange){
        .http = cls, .connection = connection, .length = length};
    memcpy(exchange->target, target, length + 1);
    return exchange;
}

/*
 * libmicrohttpd waits for edges, and stops reading at the first short read: an
 * end of file that came together with the request is not seen before the
 * silence is over.  Ending our reading side makes a new edge of it.
 */
void
exchange_end(void *cls, struct MHD_Connection *connection, void **state,
             enum MHD_RequestTerminationCode code)
{
    int fd = socket_of(connection);
    char byte;

    (void)cls;
    free(*state);
    *state = NULL;
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK
        && recv(fd, &byte, 1, MSG_PEEK) == 0)
        (void)shutdown(fd, SHUT_RD);
}

static void
plain_reply(struct http_reply *reply, unsigned status, const char *text)
{
    free(reply->body);
    *reply = (struct http_reply){
        .status = status,
        .type = "text/plain; charset=utf-8",
        .body = strdup(text),
        .length = strlen(text),
    };
    if (reply->body == NULL)
        reply->length = 0;
}

/* The same in the form of the resource: under /api/ everything is JSON. */
static void
error_reply(struct http_reply *reply, const struct exchange *exchange,
            unsigned status, const char *sentence)
{
    static const char api[] = "/api/";
    bool json = exchange->length >= sizeof api - 1
                && memcmp(exchange->target, api, sizeof api - 1) == 0;
    char text[128];

    snprintf(text, sizeof text, json ? "{\"error\": \"%s\"}\n" : "%s\n",
             sentence);
    plain_reply(reply, status, text);
    if (json)
        reply->type = "application/json";
}

/* An answer's body, counted until it is sent or its connection is over. */
struct body {
    struct http *http;
    size_t length;
    char *bytes;
};

static void
free_body(void *cls)
{
    struct body *body = cls;

    body->http->counters.unread -= body->length;
    free(body->bytes);
    free(body);
}

static struct MHD_Response *
make_response(struct http *http, struct http_reply *reply)
{
    struct body *body = malloc(sizeof *body);
    struct MHD_Response *response;

    if (body == NULL) {
        free(reply->body);
        return NULL;
    }
    *body = (struct body){http, reply->length, reply->body};
    http->counters.unread += body->length;
    response = MHD_create_response_from_buffer_with_free_callback_cls(
        body->length, body->bytes, free_body, body);
    if (response == NULL)
        free_body(body);
    return response;
}

static enum MHD_Result
respond(const struct exchange *exchange, struct http_reply *reply)
{
    struct http *http = exchange->http;
    struct MHD_Response *response;
    enum MHD_Result result;

    if (reply->length > ANSWER_SMALL
        && reply->length + http->counters.unread > UNREAD_MOST)
        error_reply(reply, exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
                    "too many large answers are not read yet");
    response = make_response(http, reply);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            reply->type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                            "no-store");
    if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(exchange->connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

static void
client_address(struct MHD_Connection *connection, struct net_address *client)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    memset(client, 0, sizeof *client);
    if (info == NULL || info->client_addr == NULL)
        return;
    client->length = info->client_addr->sa_family == AF_INET6
                         ? sizeof client->sa.v6
                         : sizeof client->sa.v4;
    memcpy(&client->sa, info->client_addr, client->length);
}

/* The wait of a request is over: libmicrohttpd calls exchange_answer() again.
 */
void
exchange_wake(void *request)
{
    struct exchange *exchange = request;
    struct http *http = exchange->http;
    struct age *age = age_of(exchange);

    http->counters.held = http->holding.count;
    exchange->waited = true;
    if (age != NULL)
        ev_timer_start(http->loop, &age->timer);
    MHD_resume_connection(exchange->connection);
    /* libmicrohttpd looks at it in its next turn, which nothing else brings. */
    ev_feed_event(http->loop, &http->epoll, EV_READ);
}

/* Time that a request is held does not count as its connection's age. */
static bool
hold(struct exchange *exchange, const struct http_request *request,
     const struct http_reply *reply)
{
    struct http *http = exchange->http;
    struct age *age = age_of(exchange);

    if (!holding_begin(&http->holding, exchange,
                       socket_of(exchange->connection), &request->client,
                       reply->hold, reply->wanted))
        return false;
    http->counters.held = http->holding.count;
    MHD_suspend_connection(exchange->connection);
    if (age != NULL) {
        double left = ev_timer_remaining(http->loop, &age->timer);

        ev_timer_stop(http->loop, &age->timer);
        ev_timer_set(&age->timer, left > 0 ? left : 0, 0);
    }
    return true;
}

static enum MHD_Result
answer(struct exchange *exchange)
{
    struct http *http = exchange->http;
    const char *accept = MHD_lookup_connection_value(
        exchange->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    const char *mark = memchr(exchange->target, '?', exchange->length);
    const char *end = exchange->target + exchange->length;
    char path[PATH_ROOM];
    struct http_request request = {
        .path = path,
        .query = mark != NULL ? mark + 1 : end,
        .query_length = mark != NULL ? (size_t)(end - mark - 1) : 0,
        .accept = accept != NULL ? accept : "",
        .waiting = HTTP_WAITED,
    };
    struct http_reply reply = {0};

    if (!urlpath_decode(exchange->target, exchange->length, path,
                        sizeof path)) {
        error_reply(&reply, exchange, MHD_HTTP_BAD_REQUEST,
                    "no such path can exist");
        return respond(exchange, &reply);
    }
    client_address(exchange->connection, &request.client);
    if (!exchange->waited)
        request.waiting = holding_has_place(&http->holding, &request.client)
                              ? HTTP_MAY_WAIT
                              : HTTP_FULL;
    http->handler(http->context, &request, &reply);
    if (reply.hold > 0) {
        if (hold(exchange, &request, &reply))
            return MHD_YES;
        reply = (struct http_reply){0};
        request.waiting = HTTP_FULL;
        http->handler(http->context, &request, &reply);
    }
    if (reply.status == 0)
        plain_reply(&reply, MHD_HTTP_NOT_FOUND, "not found\n");
    return respond(exchange, &reply);
}

enum MHD_Result
exchange_answer(void *cls, struct MHD_Connection *connection, const char *url,
                const char *method, const char *version, const char *upload,
                size_t *upload_size, void **state)
{
    struct exchange *exchange = *state;
    struct http_reply reply = {0};

    (void)cls;
    (void)connection;
    (void)url;
    (void)version;
    (void)upload;
    if (exchange == NULL)
        return MHD_NO; /* there was no memory for it */
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0
        && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        error_reply(&reply, exchange, MHD_HTTP_METHOD_NOT_ALLOWED,
                    "only GET and HEAD are allowed here");
        return respond(exchange, &reply);
    }
    if (!exchange->seen) { /* the headers; the body, if any, is dropped */
        exchange->seen = true;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    return answer(exchange);
}
