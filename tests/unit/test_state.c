/*
 * test_state.c - what lasts in a state directory, and what is said if not
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/state.h"

#include "state_directory.h"

#include <dirent.h>
#include <fcntl.h>

static const char *
path_of(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* Would catch keys that change by a restart, and a start that takes long. */
static void
loading(void **state)
{
    clock_t before = clock();
    struct state loaded;
    double seconds;

    (void)state;
    loaded = open_state();
    seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
    printf("a full state directory loads in %.1f ms\n", 1000 * seconds);
    assert_true(seconds < 0.1);
    assert_original(&loaded, true);
    cert_set_free(loaded.certs);
}

/* Would catch a secret that others can read, whatever the umask, and files that
 * nobody expects. */
static void
modes(void **state)
{
    static const mode_t masks[] = {0, 077, 0177};
    struct dirent *entry;
    DIR *list;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        mode_t mask = umask(masks[i]);
        struct stat status;
        struct state made;

        shell("rm -rf %s", dir);
        /* Keys, not their making. */
        if (i > 0) {
            assert_int_equal(mkdir(dir, 0700), 0);
            assert_int_equal(chmod(dir, 0700), 0);
            shell("umask 0; cp -p %s/*.key %s", full, dir);
        }
        made = open_state();
        umask(mask);
        cert_set_free(made.certs);
        assert_int_equal(stat(dir, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0700);
        list = opendir(dir);
        for (entry = readdir(list); entry != NULL; entry = readdir(list)) {
            bool public = strstr(entry->d_name, ".crt") != NULL;

            if (entry->d_name[0] == '.') {
                assert_true(strlen(entry->d_name) <= 2);
                continue;
            }
            assert_int_equal(stat(path_of(entry->d_name), &status), 0);
            if (strcmp(entry->d_name, "lock") != 0)
                assert_int_equal(status.st_mode & 07777, public ? 0644 : 0600);
        }
        closedir(list);
    }
}

/* A file to spoil, by a shell command with its name as $f. */
static const struct spoiling {
    const char *file;
    const char *command;
} errors[] = {
    {"ca1.key", ": >$f"},
    {"ca1.key", "echo hello >$f"},
    {"ca1.key", "head -c 800 $f >x; cat x >$f; rm x"},
    {"ca1.key", "cat ca2.key >$f"},
    {"ca1.key", "cat ca1.crt >$f"},
    {"ca1.key", "rm $f"},
    {"ca1.key", "chmod 0644 $f"},
    {"ca1.key", "chmod 0640 $f"},
    {"ca1.key", "rm $f; mkdir $f"},
    {"ca1.key", "rm $f; mkfifo -m 600 $f"},
    {"ca1.key", "head -c 40000 /dev/zero >>$f"},
    /* All private numbers: they still parse, but do not sign. */
    {"ca3.key", "sed -i '8,24s/[A-P]/Q/g' $f"},
    {"server1.key", "openssl rsa -aes128 -passout pass:secret -traditional"
                    " <$f >x 2>/dev/null; cat x >$f; rm x"},
    {"server1.key", "echo hello >$f"},
    {"server3.key", "chmod 0604 $f"},
    {"client2.key", "head -c 500 $f >x; cat x >$f; rm x"},
    {"ca2.crt", ": >$f"},
    {"ca2.crt", "echo hello >$f"},
    {"ca2.crt", "head -c 500 $f >x; cat x >$f; rm x"},
    {"ca2.crt", "cat ca1.crt >$f"},
    {"ca2.crt", "cat ca2.key >$f"},
    {"tickets.secret", ": >$f"},
    {"tickets.secret", "head -c 63 $f >x; cat x >$f; rm x"},
    {"tickets.secret", "echo >>$f"},
    {"tickets.secret", "sed -i s/^./g/ $f"},
    {"tickets.secret", "printf '%063d\\0\\n' 0 >$f"},
    {"tickets.secret", "chmod 0644 $f"},
};

/* What open says on standard error, at most room bytes. */
static int
open_and_listen(const char *directory, char *said, size_t room)
{
    int keep = dup(STDERR_FILENO);
    int pipe_fds[2];
    struct state state;
    ssize_t n;
    int result;

    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    result = state_open(&state, directory, hostnames, 2);
    dup2(keep, STDERR_FILENO);
    n = read(pipe_fds[0], said, room - 1);
    said[n < 0 ? 0 : n] = '\0';
    close(keep);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    if (result == 0)
        cert_set_free(state.certs);
    return result;
}

/* Would catch a key or an authority that is silently replaced, and an error
 * that does not say where. */
static void
broken_files_are_errors(void **state)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        const struct spoiling *row = &errors[i];
        char said[1000];
        const char *newline;

        copy(state);
        shell("cd %s && f=%s && { %s; }", dir, row->file, row->command);
        shell("cp -a %s %s.before", dir, dir);
        if (open_and_listen(dir, said, sizeof said) != -1)
            fail_msg("%s: %s: accepted", row->file, row->command);
        newline = strchr(said, '\n');
        if (strstr(said, row->file) == NULL || newline == NULL
            || newline[1] != '\0')
            fail_msg("%s: %s: %s", row->file, row->command, said);
        if (strcmp(row->command, "rm $f; mkfifo -m 600 $f") != 0)
            shell("diff -r %s %s.before", dir, dir);
        shell("rm -rf %s.before", dir);
    }
}

/* Would catch a directory in which others can plant keys. */
static void
directories_that_are_errors(void **state)
{
    static const struct {
        const char *path;
        const char *command;
    } rows[] = {
        {"dir", "chmod 0770 dir"},
        {"dir", "chmod 0707 dir"},
        {"file", "echo >file"},
        {"file/dir", "echo >file"},
        {"missing/dir", ":"},
        {"dir/lock", "rm -f dir/lock; echo >dir/lock"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[128];
        char said[1000];

        shell("cd %s && %s", root, rows[i].command);
        snprintf(path, sizeof path, "%s/%s", root, rows[i].path);
        assert_int_equal(open_and_listen(path, said, sizeof said), -1);
        if (strstr(said, path) == NULL
            || strchr(said, '\n') != strrchr(said, '\n'))
            fail_msg("%s: %s: %s", rows[i].path, rows[i].command, said);
    }
    if (geteuid() == 0) {
        char said[1000];

        copy(state);
        assert_int_equal(chown(dir, 1, 1), 0);
        assert_int_equal(open_and_listen(dir, said, sizeof said), -1);
        assert_non_null(strstr(said, dir));
    }
}

/* Would catch leaves that are presented although they no longer fit, or that
 * are issued again although they do. */
static void
leaves_are_issued_again(void **state)
{
    static const struct {
        const char *command;
        long later; /* seconds */
        bool again;
    } rows[] = {
        {":", 0, false},
        {":", 6 * DAY, false},
        {":", 7 * DAY, true},
        {":", 100 * DAY, true},
        {":", -2 * DAY, true},
        {"rm server1.crt", 0, true},
        {"rm server1x.crt", 0, true},
        {"echo >client2.crt", 0, true},
        {"cp server2.crt server3.crt", 0, true},
        {"cp server1.crt server1x.crt", 0, true},
        {"cp server1x.crt server1.crt", 0, true},
        {"sed -i '5s/./A/g' server2.crt", 0, true},
        {"sed -i '18s/./A/g' server2.crt", 0, true},
        {"rm lock", 0, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct state loaded, again;

        copy(state);
        now += rows[i].later;
        shell("cd %s && %s", dir, rows[i].command);
        loaded = open_state();
        assert_original(&loaded, !rows[i].again);
        again = open_state();
        for (size_t k = 0; k < loaded.certs->count; k++)
            if (!loaded.certs->certs[k].spec->fleeting)
                assert_int_equal(X509_cmp(loaded.certs->certs[k].x509,
                                          again.certs->certs[k].x509),
                                 0);
        cert_set_free(loaded.certs);
        cert_set_free(again.certs);
    }
}

/* Would catch certificates for names that are no longer asked for. */
static void
other_hostnames(void **state)
{
    static const char *const sets[][2] = {
        {"127.0.0.1", "localhost"}, {"localhost", "localhost"}, {"localhost"}};

    for (size_t i = 0; i < 3; i++) {
        struct state loaded;

        copy(state);
        assert_int_equal(state_open(&loaded, dir, sets[i], i == 2 ? 1 : 2), 0);
        assert_original(&loaded, false);
        cert_set_free(loaded.certs);
    }
}

/* Would catch a version with a row more that cannot start, or that changes the
 * rows there are: here it is the authority whose row is new. */
static void
missing_rows_are_made(void **state)
{
    struct state loaded, again;
    size_t same = 0, kept = 0;

    (void)state;
    shell("cd %s && rm ca3.* server3.* tickets.secret", dir);
    loaded = open_state();
    again = open_state();
    for (size_t i = 0; i < loaded.certs->count; i++) {
        const EVP_PKEY *key = loaded.certs->certs[i].key;

        if (loaded.certs->certs[i].spec->fleeting)
            continue;
        kept++;
        same += EVP_PKEY_eq(key, original.certs->certs[i].key) == 1;
        assert_int_equal(EVP_PKEY_eq(key, again.certs->certs[i].key), 1);
    }
    assert_int_equal(same, kept - 2);
    assert_memory_equal(loaded.ticket_secret, again.ticket_secret,
                        TICKETS_SECRET_BYTES);
    cert_set_free(loaded.certs);
    cert_set_free(again.certs);
}

/* Would catch that a start which was cut off between an authority's key and its
 * certificate can never be repeated. */
static void
interrupted_start(void **state)
{
    struct state loaded;
    const struct cert *cert;

    (void)state;
    shell("cd %s && rm ca1.crt", dir);
    loaded = open_state();
    cert = cert_set_find(loaded.certs, "ca1");
    assert_int_equal(
        EVP_PKEY_eq(cert->key, cert_set_find(original.certs, "ca1")->key), 1);
    assert_int_equal(X509_verify(cert->x509, cert->key), 1);
    cert_set_free(loaded.certs);
}

/* Would catch a file for each certificate that a start makes anew anyway, and
 * one of the others missing. */
static void
what_is_fleeting_is_not_kept(void **state)
{
    static const char *const kinds[] = {"key", "crt"};

    (void)state;
    for (size_t i = 0; i < cert_spec_count; i++) {
        const struct cert_spec *spec = &cert_specs[i];

        for (size_t k = 0; k < 2; k++) {
            char path[256];
            bool wanted = !spec->fleeting && (k == 1 || spec->key_of == NULL);

            snprintf(path, sizeof path, "%s/%s.%s", dir, spec->name, kinds[k]);
            if ((access(path, F_OK) == 0) != wanted)
                fail_msg("%s", path);
        }
    }
}

/* Would catch that a renewal which takes the folder's leaves lets those expire
 * that are not there. */
static void
what_is_fleeting_is_renewed(void **state)
{
    struct state first = open_state();
    struct state second = open_state();
    const struct cert *leaf = cert_set_find(second.certs, "chain_intermediate");
    const struct cert *middle =
        cert_set_find(second.certs, "chain_intermediate_ca");
    X509 *old[] = {leaf->x509, middle->x509};

    (void)state;
    X509_up_ref(old[0]);
    X509_up_ref(old[1]);
    now += 7 * DAY;
    assert_int_equal(state_renew(dir, first.certs), 0);
    assert_int_equal(state_renew(dir, second.certs), 0); /* the first's */
    assert_int_equal(X509_cmp(cert_set_find(first.certs, "server1")->x509,
                              cert_set_find(second.certs, "server1")->x509),
                     0);
    assert_int_not_equal(X509_cmp(leaf->x509, old[0]), 0);
    assert_int_not_equal(X509_cmp(middle->x509, old[1]), 0);
    assert_int_equal(X509_verify(leaf->x509, middle->key), 1);
    assert_int_equal(cert_set_age(second.certs), 0);
    X509_free(old[0]);
    X509_free(old[1]);
    cert_set_free(first.certs);
    cert_set_free(second.certs);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, copy)
    const struct CMUnitTest tests[] = {
        TEST(loading),
        TEST(modes),
        TEST(broken_files_are_errors),
        TEST(directories_that_are_errors),
        TEST(leaves_are_issued_again),
        TEST(other_hostnames),
        TEST(missing_rows_are_made),
        TEST(interrupted_start),
        TEST(what_is_fleeting_is_not_kept),
        TEST(what_is_fleeting_is_renewed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
