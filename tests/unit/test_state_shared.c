/*
 * test_state_shared.c - instances that share a state directory, and renewals
 *
 * SPDX-License-Identifier: MPL-2.0
 */
#include "proxy/state.h"

#include "state_directory.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* What all instances must have in common: a digest of it. */
struct essence {
    uint8_t bytes[32];
};

static struct essence
essence_of(const struct cert_set *certs, const uint8_t *secret)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    struct essence essence;

    EVP_DigestInit(digest, EVP_sha256());
    if (secret != NULL)
        EVP_DigestUpdate(digest, secret, TICKETS_SECRET_BYTES);
    for (size_t i = 0; i < certs->count; i++) {
        char hash[65];

        if (certs->certs[i].spec->fleeting)
            continue;
        cert_hash(certs->certs[i].x509, hash);
        EVP_DigestUpdate(digest, hash, 64);
    }
    EVP_DigestFinal(digest, essence.bytes, NULL);
    EVP_MD_CTX_free(digest);
    return essence;
}

static bool
same_certificates(const struct cert_set *a, const struct cert_set *b)
{
    struct essence first = essence_of(a, NULL);
    struct essence second = essence_of(b, NULL);

    return memcmp(&first, &second, sizeof first) == 0;
}

/* Would catch two sets of authorities after two starts at once. */
static void
starts_at_once(void **state)
{
    enum { STARTS = 4 };
    struct essence essences[STARTS];
    int fds[2];

    (void)state;
    shell("rm -rf %s", dir);
    assert_int_equal(pipe(fds), 0);
    for (int i = 0; i < STARTS; i++) {
        pid_t pid = fork();

        assert_int_not_equal(pid, -1);
        if (pid == 0) {
            struct state made;
            struct essence essence;

            if (state_open(&made, dir, hostnames, 2) == -1)
                _exit(1);
            essence = essence_of(made.certs, made.ticket_secret);
            _exit(write(fds[1], &essence, sizeof essence) != sizeof essence);
        }
    }
    for (int i = 0; i < STARTS; i++) {
        int status;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
        assert_int_equal(read(fds[0], &essences[i], sizeof essences[i]),
                         sizeof essences[i]);
        assert_memory_equal(&essences[0], &essences[i], sizeof essences[i]);
    }
    close(fds[0]);
    close(fds[1]);
}

/* Would catch instances that present different leaves for longer than it takes
 * for both to come to it, and ones that never renew, since the other did. */
static void
renewals_are_shared(void **state)
{
    struct state first = open_state();
    struct state second = open_state();

    (void)state;
    for (int i = 0; i < 5; i++) {
        now += 7 * DAY;
        assert_true(same_certificates(first.certs, second.certs));
        assert_int_equal(state_renew(dir, first.certs), 0);
        assert_false(same_certificates(first.certs, second.certs));
        assert_int_equal(cert_set_age(first.certs), 0);
        now += i == 0 ? 0 : 60;
        assert_int_equal(state_renew(dir, second.certs), 0);
        assert_true(same_certificates(first.certs, second.certs));
        assert_original(&first, false);
        assert_int_equal(ERR_peek_error(), 0);
    }
    cert_set_free(second.certs);
    second = open_state();
    assert_true(same_certificates(first.certs, second.certs));
    cert_set_free(first.certs);
    cert_set_free(second.certs);
}

/* Would catch leaves of other host names being taken over, and an instance that
 * was renewed from memory going back to older leaves. */
static void
strange_leaves_are_not_taken(void **state)
{
    static const char *const others[] = {"127.0.0.1"};
    struct state first = open_state();
    struct state other;

    (void)state;
    now += DAY;
    assert_int_equal(state_open(&other, dir, others, 1), 0);
    assert_int_equal(state_renew(dir, first.certs), 0);
    assert_false(same_certificates(first.certs, other.certs));
    assert_original(&first, false);
    cert_set_free(other.certs);

    now += DAY;
    assert_int_equal(state_renew(NULL, first.certs), 0);
    assert_int_equal(state_renew(dir, first.certs), 0);
    assert_int_equal(cert_set_age(first.certs), 0);
    other = open_state();
    assert_true(same_certificates(first.certs, other.certs));
    cert_set_free(other.certs);
    cert_set_free(first.certs);
}

/* Would catch a renewal that waits for a restart: leaves that were loaded are
 * not as young as the process. */
static void
renewal_counts_from_the_issue(void **state)
{
    struct state loaded;

    (void)state;
    now += 3 * DAY;
    loaded = open_state();
    assert_int_equal(cert_set_age(loaded.certs), 3 * DAY);
    assert_int_equal(state_renew_in(dir, loaded.certs, 7 * DAY), 4 * DAY);
    assert_int_equal(state_renew_in(dir, loaded.certs, 2), 1);
    assert_int_equal(state_renew_in(NULL, loaded.certs, 7 * DAY), 7 * DAY);
    assert_int_equal(state_renew(dir, loaded.certs), 0);
    assert_int_equal(state_renew_in(dir, loaded.certs, 7 * DAY), 7 * DAY);
    cert_set_free(loaded.certs);
}

/* Would catch leaves that expire because a directory went away, was replaced
 * or is locked by a process that hangs; and one that is written to although it
 * is another's. */
static void
renewal_without_the_directory(void **state)
{
    static const char *const commands[] = {
        ":", /* and locked */
        "rm -r dir",
        "chmod 0777 dir",
        "rm dir/ca1.crt",
        "cp dir/ca2.crt dir/ca1.crt",
        "echo >dir/ca3.crt",
    };
    char lock_path[128];

    snprintf(lock_path, sizeof lock_path, "%s/lock", dir);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        int lock = -1;
        struct state loaded;

        copy(state);
        loaded = open_state();
        shell("cd %s; %s", root, commands[i]);
        if (i == 0) {
            lock = open(lock_path, O_RDWR | O_CLOEXEC);
            assert_int_equal(flock(lock, LOCK_EX), 0);
        }
        shell("cd %s; test ! -d dir || cp -a dir before", root);
        now += DAY;
        assert_int_equal(state_renew(dir, loaded.certs), 0);
        assert_int_equal(cert_set_age(loaded.certs), 0);
        assert_original(&loaded, false);
        shell("cd %s; test ! -d dir || diff -r dir before; rm -rf before",
              root);
        if (lock != -1)
            close(lock);
        cert_set_free(loaded.certs);
    }
}

/* Would catch a disk that is full leaving half a file, or none. */
static void
full_disk(void **state)
{
    struct rlimit before, tiny;
    struct state loaded = open_state();
    struct state failed;
    int result;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tiny = before;
    tiny.rlim_cur = 100;
    shell("cp -a %s %s/before", dir, root);
    now += 8 * DAY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
    result = state_renew(dir, loaded.certs);
    assert_int_equal(state_open(&failed, dir, hostnames, 2), -1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, 0);
    assert_int_equal(cert_set_age(loaded.certs), 0);
    shell("diff -r %s %s/before", dir, root);
    shell("test -z \"$(find %s -name '.m*')\"", dir);
    cert_set_free(loaded.certs);
}

/* Would catch something written although nobody said where. */
static void
without_a_directory(void **state)
{
    struct state made;

    (void)state;
    assert_int_equal(chdir(root), 0);
    shell("ls -R %s >%s.list", root, root);
    assert_int_equal(state_open(&made, NULL, hostnames, 2), 0);
    assert_int_equal(state_renew(NULL, made.certs), 0);
    shell("ls -R %s | diff - %s.list && rm %s.list", root, root, root);
    assert_memory_not_equal(made.ticket_secret, original.ticket_secret,
                            TICKETS_SECRET_BYTES);
    cert_set_free(made.certs);
    assert_int_equal(chdir("/"), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, copy)
    const struct CMUnitTest tests[] = {
        TEST(starts_at_once),
        TEST(renewals_are_shared),
        TEST(strange_leaves_are_not_taken),
        TEST(renewal_counts_from_the_issue),
        TEST(renewal_without_the_directory),
        TEST(full_disk),
        TEST(without_a_directory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
