/*
 * test_health.c - URLs that are asked, and replies that are judged
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/health.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

static void
urls_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *authority, *host;
        uint16_t port;
        const char *path;
    } cases[] = {
        {"http://127.0.0.1:50000/", "127.0.0.1:50000", "127.0.0.1", 50000,
         "/api/status"},
        {"http://localhost", "localhost", "localhost", 80, "/api/status"},
        {"HTTP://a.b-c_d:1/x?y=%20", "a.b-c_d:1", "a.b-c_d", 1, "/x?y=%20"},
        {"http://[::1]", "[::1]", "::1", 80, "/api/status"},
        {"http://[fe80::1]:65535//", "[fe80::1]:65535", "fe80::1", 65535, "//"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct health_url url;

        assert_null(health_parse_url(cases[i].text, &url));
        assert_string_equal(url.authority, cases[i].authority);
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
        assert_string_equal(url.path, cases[i].path);
    }
}

/* Would catch a URL that smuggles a line into the request, or is asked at
 * another place than it says. */
static void
other_urls_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "localhost:50000",
        "https://localhost/",
        "http:/localhost",
        "http://",
        "http:///path",
        "http://:80/",
        "http://h:/",
        "http://h:0/",
        "http://h:65536/",
        "http://h:+1/",
        "http://h:80:80/",
        "http://user@h/",
        "http://h?query",
        "http://h#part",
        "http://h/#part",
        "http://h/a b",
        "http://h/a\r\nHost: x",
        "http://h\r\n/",
        "http://h\xc3\xa4/",
        "http://h/\xc3\xa4",
        "http://::1/",
        "http://[::1/",
        "http://[]/",
        "http://[h]:1/",
        "http://[127.0.0.1]/",
        "http://[::1]x/",
        "http://a]b/",
        "http://a[::1]:1/",
    };
    char text[1024];
    struct health_url url;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (health_parse_url(texts[i], &url) == NULL)
            fail_msg("taken: %s", texts[i]);
    memset(text, 'a', sizeof text);
    memcpy(text, "http://", 7);
    text[7 + NET_HOST_MAX - 1] = '\0';
    assert_null(health_parse_url(text, &url));
    text[7 + NET_HOST_MAX - 1] = 'a';
    text[7 + NET_HOST_MAX] = '\0';
    assert_non_null(health_parse_url(text, &url));
    text[7 + NET_HOST_MAX] = 'a';
    text[8] = '/';
    text[8 + sizeof url.path - 1] = '\0';
    assert_null(health_parse_url(text, &url));
    text[8 + sizeof url.path - 1] = 'a';
    text[8 + sizeof url.path] = '\0';
    assert_non_null(health_parse_url(text, &url));
}

static void
replies_are_judged(void **state)
{
    static const struct {
        const char *reply;
        bool healthy;
        const char *text;
    } cases[] = {
        {OK "{\"ports\": {\"a\": {\"active\": 1}}, \"uptime_seconds\": 1.9}",
         true, "1 port, 1 connection, up 1 s"},
        {OK "{\"ports\": {\"a\": {\"active\": 1}, \"b\": {\"active\": 2}}, "
            "\"uptime_seconds\": 7500, \"more\": []}",
         true, "2 ports, 3 connections, up 2 h 5 min"},
        {"HTTP/1.0 200\r\n\r\n{\"ports\": {\"a\": {\"active\": 0}}, "
         "\"uptime_seconds\": 59.9}",
         true, "1 port, 0 connections, up 59 s"},
        {OK "{\"ports\": {\"a\": {\"active\": 0}}, \"uptime_seconds\": 60}",
         true, "1 port, 0 connections, up 1 min"},
        {OK "{\"ports\": {\"a\": {\"active\": 0}}, \"uptime_seconds\": 93600}",
         true, "1 port, 0 connections, up 1 d 2 h"},
        {"", false, "there is no reply"},
        {"HTTP/1.1 200", false, "the reply is not HTTP"},
        {"HTTP/2.0 200 OK\r\n\r\n{}", false, "the reply is not HTTP"},
        {"SALT:merovingian:9:", false, "the reply is not HTTP"},
        {"HTTP/1.1 2000 OK\r\n\r\n{}", false, "the reply is not HTTP"},
        {"HTTP/1.1 404 Not Found\r\n\r\n", false,
         "the reply is HTTP status 404"},
        {"HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", false,
         "the reply is HTTP status 301"},
        {"HTTP/1.1 200 OK\r\n", false, "the reply is cut off"},
        {OK, false, "the reply is not JSON"},
        {OK "base:50000\n", false, "the reply is not JSON"},
        {OK "{\"ports\": {}", false, "the reply is not JSON"},
        {OK "{\"ports\": {}} x", false, "the reply is not JSON"},
        {OK "{\"ports\": {}, \"uptime_seconds\": 1}", false, "it has no ports"},
        {OK "{}", false, "the reply is not the status of a mapitest"},
        {OK "[]", false, "the reply is not the status of a mapitest"},
        {OK "{\"ports\": {\"a\": {\"active\": 0}}}", false,
         "the reply is not the status of a mapitest"},
        {OK "{\"ports\": {\"a\": {}}, \"uptime_seconds\": 1}", false,
         "the reply is not the status of a mapitest"},
        {OK "{\"ports\": {\"a\": 1}, \"uptime_seconds\": 1}", false,
         "the reply is not the status of a mapitest"},
        {OK "{\"ports\": {\"a\": {\"active\": -1}}, \"uptime_seconds\": 1}",
         false, "the reply is not the status of a mapitest"},
        {OK "{\"ports\": {\"a\": {\"active\": 9000000000000000000}}, "
            "\"uptime_seconds\": 1}",
         false, "the reply is not the status of a mapitest"},
        {OK "{\"ports\": {\"a\": {\"active\": 0}}, \"uptime_seconds\": -1}",
         false, "the reply is not the status of a mapitest"},
        {OK "{\"ports\": {\"a\": {\"active\": 0}}, \"uptime_seconds\": 1e300}",
         false, "the reply is not the status of a mapitest"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t length = strlen(cases[i].reply);
        char *reply = malloc(length > 0 ? length : 1); /* not a byte more */
        char text[HEALTH_TEXT_MAX];
        bool healthy;

        memcpy(reply, cases[i].reply, length);
        healthy = health_judge(reply, length, text);
        assert_string_equal(text, cases[i].text);
        assert_true(healthy == cases[i].healthy);
        free(reply);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(other_urls_are_refused),
        cmocka_unit_test(replies_are_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
