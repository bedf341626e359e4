/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/backend.h"

static struct target targets[] = {
    {true, "127.0.0.1", 50000},
    {true, "127.0.0.2", 50001},
    {true, "127.0.0.1", 50000}, /* the first once more */
};

static const char *
text(const struct backend *backend, int i)
{
    static char out[NET_TEXT_MAX];

    return net_text(&backend->addresses[i], out);
}

static void
addresses_come_in_the_order_of_targets(void **state)
{
    struct backend backend = {.targets = targets, .target_count = 3};

    (void)state;
    assert_int_equal(backend_resolve(&backend, "test"), 0);
    assert_int_equal(backend.count, 2);
    assert_string_equal(text(&backend, 0), "127.0.0.1:50000");
    assert_string_equal(text(&backend, 1), "127.0.0.2:50001");
    assert_false(backend_has_names(&backend));
}

/* A name server's failure that takes a working address away. */
static void
what_cannot_be_resolved_stays(void **state)
{
    struct target names[] = {
        {true, "127.0.0.1", 50000},
        {true, "127.0.0.2", 50001},
    };
    struct backend backend = {.targets = names, .target_count = 2};

    (void)state;
    log_setup("test", LOG_TEXT, LOG_ERROR);
    assert_int_equal(backend_resolve(&backend, NULL), 0);
    for (int round = 0; round < 3; round++) {
        snprintf(names[0].host, sizeof names[0].host, "gone.invalid");
        assert_int_equal(backend_resolve(&backend, NULL), 1);
        assert_int_equal(backend.count, 2);
        assert_string_equal(text(&backend, 0), "127.0.0.1:50000");
        assert_string_equal(text(&backend, 1), "127.0.0.2:50001");
    }
    assert_true(backend_has_names(&backend));
    snprintf(names[1].host, sizeof names[1].host, "gone.invalid");
    assert_int_equal(backend_resolve(&backend, NULL), 2);
    assert_int_equal(backend.count, 2);
    snprintf(names[0].host, sizeof names[0].host, "127.0.0.3");
    assert_int_equal(backend_resolve(&backend, NULL), 1);
    assert_int_equal(backend.count, 2);
    assert_string_equal(text(&backend, 0), "127.0.0.3:50000");
}

/* A dead name that takes all others with it. */
static void
the_others_are_found(void **state)
{
    struct target some[] = {
        {true, "192.0.2.2", 2},
        {true, "nowhere.invalid", 3},
        {true, "2001:db8::1", 1},
    };
    struct backend backend = {.targets = some, .target_count = 3};

    (void)state;
    assert_int_equal(backend_resolve(&backend, NULL), 1);
    assert_int_equal(backend.count, 2);
    assert_string_equal(text(&backend, 0), "192.0.2.2:2");
    assert_string_equal(text(&backend, 1), "[2001:db8::1]:1");
}

static void
none_at_all_is_an_error(void **state)
{
    struct target name = {true, "gone.invalid", 50000};
    struct backend backend = {.targets = &name, .target_count = 1};

    (void)state;
    assert_int_equal(backend_resolve(&backend, NULL), -1);
    assert_int_equal(backend.count, 0);
}

/* "/tmp/sss..." of so many bytes. */
static char *
long_path(char out[256], size_t length)
{
    memset(out, 's', length);
    memcpy(out, "/tmp/", 5);
    out[length] = '\0';
    return out;
}

static void
targets_are_told_apart(void **state)
{
    char path[256];
    static const struct {
        const char *text;
        const char *wrong; /* NULL: nothing */
    } rows[] = {
        {"db:50000", NULL},
        {"[::1]:1", NULL},
        {"/tmp/.s.monetdb.50000", NULL},
        {"/tmp/a:1", NULL},
        {"db:0", "has port 0"},
        {"db", "no ':PORT' in it"},
        {"@abstract", "no ':PORT' in it"},
        {"./s", "is no absolute path: a Unix socket's begins with '/'"},
        {"s/50000:1", "is no absolute path: a Unix socket's begins with '/'"},
        {"/tmp/\n", "has a character that is not printable ASCII"},
        {"", "no ':PORT' in it"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct target target = {false, "", 0};
        const char *wrong = target_parse_backend(&target, rows[i].text);
        char shown[TARGET_TEXT_MAX];

        assert_int_equal(target.set, rows[i].wrong == NULL);
        if (rows[i].wrong != NULL) {
            assert_string_equal(wrong, rows[i].wrong);
            continue;
        }
        assert_null(wrong);
        assert_string_equal(target_text(&target, shown), rows[i].text);
        assert_int_equal(target_is_path(&target), rows[i].text[0] == '/');
        /* To listen on it is another matter. */
        wrong = target_parse(&target, rows[i].text);
        assert_int_equal(wrong != NULL, rows[i].text[0] == '/');
    }
    for (size_t length = NET_PATH_MAX; length < NET_PATH_MAX + 2; length++) {
        struct target target = {false, "", 0};

        assert_int_equal(target_parse_backend(&target, long_path(path, length))
                             == NULL,
                         length == NET_PATH_MAX);
    }
}

/* A listening Unix socket at a path, whose folder is removed with it. */
static int
listen_at(char path[NET_PATH_MAX + 1])
{
    char folder[] = "/tmp/test_backend.XXXXXX";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_non_null(mkdtemp(folder));
    snprintf(path, NET_PATH_MAX + 1, "%s/s", folder);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 0), 0);
    return fd;
}

/* Would catch: a path that goes to the name server, or to another's target; a
 * full queue taken for a connection. */
static void
paths_are_connected_to(void **state)
{
    struct target some[2] = {{true, "127.0.0.1", 1}, {true, "", 0}};
    struct backend backend = {.targets = some, .target_count = 2};
    char shown[NET_TEXT_MAX];
    int listener = listen_at(some[1].host);
    int first, second;

    (void)state;
    assert_false(backend_has_names(&backend));
    assert_int_equal(backend_resolve(&backend, "test"), 0);
    assert_int_equal(backend.count, 2);
    assert_false(backend_is_path(&backend, 0));
    assert_true(backend_is_path(&backend, 1));
    assert_true(net_is_loopback(&backend.addresses[1]));
    assert_string_equal(backend_text(&backend, 1, shown), some[1].host);

    first = backend_connect(&backend, 1);
    assert_true(first != -1 && net_is_connected(first));
    second = backend_connect(&backend, 1);
    assert_int_equal(second, -1);
    assert_int_equal(errno, EAGAIN);
    net_close(&first);
    net_close(&listener);
    assert_int_equal(backend_connect(&backend, 1), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_int_equal(unlink(some[1].host), 0);
    assert_int_equal(backend_connect(&backend, 1), -1);
    assert_int_equal(errno, ENOENT);
    *strrchr(some[1].host, '/') = '\0';
    assert_int_equal(rmdir(some[1].host), 0);
}

/* Addresses come from another process, which may be wrong. */
static void
strange_paths_lead_nowhere(void **state)
{
    struct target name = {true, "127.0.0.1", 1};
    struct backend backend = {.targets = &name, .target_count = 1, .count = 1};
    char shown[NET_TEXT_MAX];

    (void)state;
    for (uint16_t i = 0; i < 3; i++) {
        backend.addresses[0].sa.any.sa_family = AF_UNIX;
        net_set_port(&backend.addresses[0], i);
        assert_string_equal(backend_text(&backend, 0, shown), "");
        assert_int_equal(backend_connect(&backend, 0), -1);
    }
}

static void
of_a_long_path_the_end_is_shown(void **state)
{
    struct target target = {.set = true};
    struct backend backend = {.targets = &target, .target_count = 1};
    char shown[NET_TEXT_MAX];

    (void)state;
    long_path(target.host, NET_TEXT_MAX - 1);
    assert_int_equal(backend_resolve(&backend, "test"), 0);
    assert_string_equal(backend_text(&backend, 0, shown), target.host);
    long_path(target.host, NET_PATH_MAX);
    target.host[NET_PATH_MAX - 1] = '!';
    backend_text(&backend, 0, shown);
    assert_int_equal(strlen(shown), NET_TEXT_MAX - 1);
    assert_memory_equal(shown, "...sss", 6);
    assert_int_equal(shown[NET_TEXT_MAX - 2], '!');
}

/* What a redirect may be rewritten for. */
static void
a_backend_knows_where_it_is(void **state)
{
    struct target some[] = {
        {true, "Db.example", 50000},
        {true, "/tmp/s", 0},
        {true, "::1", 50001},
    };
    struct backend backend = {.targets = some, .target_count = 3};

    (void)state;
    assert_true(net_numeric("192.0.2.1", 50000, &backend.addresses[0]));
    assert_true(net_numeric("::1", 50001, &backend.addresses[1]));
    backend.count = 2;
    assert_true(backend_is_at(&backend, "dB.example", 50000));
    assert_true(backend_is_at(&backend, "192.0.2.1", 50000));
    assert_true(backend_is_at(&backend, "0:0::1", 50001));
    assert_false(backend_is_at(&backend, "db.example", 50001));
    assert_false(backend_is_at(&backend, "192.0.2.1", 50001));
    assert_false(backend_is_at(&backend, "192.0.2.2", 50000));
    assert_false(backend_is_at(&backend, "/tmp/s", 50000));
    assert_false(backend_is_at(&backend, "localhost", 50000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_in_the_order_of_targets),
        cmocka_unit_test(what_cannot_be_resolved_stays),
        cmocka_unit_test(the_others_are_found),
        cmocka_unit_test(none_at_all_is_an_error),
        cmocka_unit_test(targets_are_told_apart),
        cmocka_unit_test(paths_are_connected_to),
        cmocka_unit_test(strange_paths_lead_nowhere),
        cmocka_unit_test(of_a_long_path_the_end_is_shown),
        cmocka_unit_test(a_backend_knows_where_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
