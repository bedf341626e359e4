/*
 * test_notify.c - what arrives at systemd's socket
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/notify.h"

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

static char folder[] = "/tmp/test_notify.XXXXXX";
static char path[64];

/* A socket like systemd's; name as in $NOTIFY_SOCKET, which is set. */
static int
systemd(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path, name, length);
    if (*name == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(
        bind(fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
        0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static const char *
heard(int fd)
{
    static char text[1024];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static int
make_folder(void **unused)
{
    (void)unused;
    log_setup("test", LOG_TEXT, LOG_ERROR);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/notify", folder);
    return 0;
}

static int
remove_folder(void **unused)
{
    (void)unused;
    return rmdir(folder);
}

/* Would catch a service that systemd believes is still starting. */
static void
messages_arrive(void **unused)
{
    char abstract[64];
    const char *names[] = {path, abstract};

    (void)unused;
    snprintf(abstract, sizeof abstract, "@test_notify.%d", (int)getpid());
    for (size_t i = 0; i < 2; i++) {
        int fd = systemd(names[i]);
        unsigned long long usec;

        notify_open();
        assert_null(getenv("NOTIFY_SOCKET"));
        assert_true(notify_ready("on base port 50000"));
        assert_string_equal(heard(fd), "READY=1\nSTATUS=on base port 50000\n");
        assert_true(notify_reloading());
        assert_int_equal(
            sscanf(heard(fd), "RELOADING=1\nMONOTONIC_USEC=%llu\n", &usec), 1);
        assert_true(notify_stopping());
        assert_string_equal(heard(fd), "STOPPING=1\n");
        notify_close();
        assert_true(notify_stopping());
        assert_string_equal(heard(fd), "");
        close(fd);
        unlink(names[i]);
    }
}

/* Would catch a text of ours that ends as a command of its own. */
static void
a_status_is_one_line(void **unused)
{
    int fd = systemd(path);
    char text[2 * NOTIFY_STATUS_MAX];

    (void)unused;
    notify_open();
    assert_true(notify_ready("a\nSTOPPING=1"));
    assert_string_equal(heard(fd), "READY=1\nSTATUS=a STOPPING=1\n");
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_true(notify_ready(text));
    assert_int_equal(strlen(heard(fd)),
                     strlen("READY=1\nSTATUS=\n") + NOTIFY_STATUS_MAX - 1);
    notify_close();
    close(fd);
    unlink(path);
}

static void
the_watchdog_is_for_its_process(void **unused)
{
    static const struct {
        const char *usec, *pid;
        double seconds;
    } cases[] = {
        {"30000000", NULL, 30}, {"500000", "own", 0.5}, {"30000000", "1", 0},
        {"x", NULL, 0},         {"", "own", 0},         {NULL, "own", 0},
        {"-5", NULL, 0},        {"5 ", NULL, 0},
    };
    int fd = systemd(path);

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char own[16];

        snprintf(own, sizeof own, "%d", (int)getpid());
        setenv("NOTIFY_SOCKET", path, 1);
        if (cases[i].usec != NULL)
            setenv("WATCHDOG_USEC", cases[i].usec, 1);
        if (cases[i].pid != NULL)
            setenv("WATCHDOG_PID", *cases[i].pid == 'o' ? own : cases[i].pid,
                   1);
        notify_open();
        assert_true(notify_watchdog_seconds() == cases[i].seconds);
        assert_null(getenv("WATCHDOG_USEC"));
        assert_null(getenv("WATCHDOG_PID"));
        assert_true(notify_watchdog());
        assert_string_equal(heard(fd),
                            cases[i].seconds > 0 ? "WATCHDOG=1\n" : "");
    }
    notify_close();
    close(fd);
    unlink(path);
}

/* Would catch a service that hangs with a systemd that does, and a log that is
 * full of it. */
static void
nothing_blocks(void **unused)
{
    int fd = systemd(path);
    int sent = 0;

    (void)unused;
    notify_open();
    while (sent < 100000 && notify_stopping())
        sent++;
    assert_in_range(sent, 1, 99999);
    assert_false(notify_ready("again"));
    assert_non_null(strstr(log_last_error(), "cannot notify systemd: "));
    while (*heard(fd) != '\0')
        continue;
    assert_true(notify_ready("again"));
    close(fd);
    unlink(path);
    assert_false(notify_stopping());
    notify_close();
}

static void
nobody_listens(void **unused)
{
    static const char *const names[] = {"relative", "/", "@", "vsock:2:1234"};

    (void)unused;
    setenv("WATCHDOG_USEC", "1000000", 1);
    notify_open();
    assert_true(notify_ready("") && notify_watchdog());
    assert_true(notify_watchdog_seconds() == 0);
    setenv("NOTIFY_SOCKET", "", 1);
    notify_open();
    assert_true(notify_ready(""));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_open();
        assert_non_null(strstr(log_last_error(), "NOTIFY_SOCKET"));
        assert_true(notify_ready(""));
        assert_null(getenv("NOTIFY_SOCKET"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive),
        cmocka_unit_test(a_status_is_one_line),
        cmocka_unit_test(the_watchdog_is_for_its_process),
        cmocka_unit_test(nothing_blocks),
        cmocka_unit_test(nobody_listens),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
