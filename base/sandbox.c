/* SPDX-License-Identifier: MPL-2.0 */
#include "base/sandbox.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "base/landlock.h"
#include "base/log.h"
#include "base/syscalls.h"

const char *const sandbox_names[SANDBOX_BOTH + 1] = {
    [SANDBOX_NONE] = "none",
    [SANDBOX_SECCOMP] = "seccomp",
    [SANDBOX_LANDLOCK] = "landlock",
    [SANDBOX_BOTH] = "seccomp+landlock",
};

static bool wanted;

/* How a kernel says that it has no such thing, and a container's profile that
 * it lets nobody have it. */
static bool
is_lack(int error)
{
    return error == EPERM || error == ENOSYS || error == EOPNOTSUPP;
}

void
sandbox_begin(void)
{
    int seccomp = syscalls_lack();
    int landlock = landlock_lack();

    wanted = true;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
        log_errno("cannot forbid new privileges");
    if (seccomp != 0 || landlock != 0)
        log_info("processes keep rights that they do not need: no %s%s%s here "
                 "(%s)",
                 seccomp != 0 ? "seccomp filters" : "",
                 seccomp != 0 && landlock != 0 ? " and no " : "",
                 landlock != 0 ? "Landlock" : "",
                 strerror(seccomp != 0 ? seccomp : landlock));
}

void
sandbox_forbid_dumps(void)
{
    const struct rlimit none = {0, 0};

    /* The limit alone does not hold for a core that goes into a pipe (core(5)),
     * as systemd's does. */
    if (setrlimit(RLIMIT_CORE, &none) == -1 || prctl(PR_SET_DUMPABLE, 0) == -1)
        log_errno("cannot forbid core dumps");
}

/* The C library looks for the time zone again and again, though our times are
 * UTC; OpenSSL reads its configuration once, and Jansson a random number. */
static void
read_ahead(void)
{
    setenv("TZ", "UTC0", 1);
    tzset();
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    (void)RAND_status();
    json_object_seed(0);
}

/* What became of a wall: bit if it stands, 0 if there is none, -1. */
static int
outcome(int result, int bit, const char *name)
{
    if (result == 0)
        return bit;
    if (is_lack(errno))
        return 0;
    log_errno("cannot enter the sandbox: %s", name);
    return -1;
}

int
sandbox_enter(enum sandbox_kind kind, const struct sandbox_reach *reach)
{
    static const struct sandbox_reach nowhere = {.port_count = 0};
    int landlock;
    int seccomp;

    if (!wanted)
        return SANDBOX_NONE;
    if (reach == NULL)
        reach = &nowhere;
    read_ahead();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
        log_errno("cannot forbid new privileges");
        return -1;
    }
    landlock =
        outcome(landlock_enter(kind, reach), SANDBOX_LANDLOCK, "Landlock");
    if (landlock == -1)
        return -1;
    /* Last: it forbids the others. */
    seccomp = outcome(syscalls_limit(kind, reach), SANDBOX_SECCOMP, "seccomp");
    return seccomp == -1 ? -1 : seccomp | landlock;
}
