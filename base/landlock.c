/* SPDX-License-Identifier: MPL-2.0 */
#include "base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/net.h"

/* The kernel's interface, which the headers of Debian 12 know half of. */

#define CREATE_VERSION 1u

enum rule { RULE_PATH = 1, RULE_PORT = 2 };

#define FS_READ   (1u << 2 | 1u << 3)   /* files, folders */
#define FS_ABI_1  ((1u << 13) - 1)      /* execute, write, read, make, remove */
#define FS_ABI_2  (1u << 13 | FS_ABI_1) /* move to another folder */
#define FS_ABI_3  (1u << 14 | FS_ABI_2) /* truncate */
#define FS_ABI_5  (1u << 15 | FS_ABI_3) /* control a device */
#define TCP_BIND  (1u << 0)
#define TCP_CONN  (1u << 1)
#define SCOPE_ALL (1u << 0 | 1u << 1) /* abstract Unix sockets, signals */

struct ruleset {
    uint64_t fs, net, scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

struct port_rule {
    uint64_t allowed, port;
};

/* What can be forbidden, by version; a newer one is treated as the last. */
static const struct ruleset versions[] = {
    [1] = {FS_ABI_1, 0, 0},
    [2] = {FS_ABI_2, 0, 0},
    [3] = {FS_ABI_3, 0, 0},
    [4] = {FS_ABI_3, TCP_BIND | TCP_CONN, 0},
    [5] = {FS_ABI_5, TCP_BIND | TCP_CONN, 0},
    [6] = {FS_ABI_5, TCP_BIND | TCP_CONN, SCOPE_ALL},
};

#define VERSION_LAST (sizeof versions / sizeof versions[0] - 1)

/*
 * The system's configuration, the modules that getaddrinfo() loads, and where
 * those keep what they know.  Folders, not files: an editor that replaces
 * /etc/hosts makes another file.
 */
static const struct {
    const char *path;
    unsigned who;
} readable[] = {
    {"/etc", FOR_NAMES},         {"/usr", FOR_NAMES},   {"/lib", FOR_NAMES},
    {"/lib64", FOR_NAMES},       {"/run", FOR_NAMES}, /* resolv.conf often leads
                                                         there */
    {"/var/lib/sss", FOR_NAMES}, {"/nix", FOR_NAMES}, /* there, /etc is made of
                                                         links to it */
    {"/gnu", FOR_NAMES},         {"/", FOR_SANITIZERS},
};

/* DNS, for answers too long for UDP. */
static const struct {
    uint16_t port;
    unsigned who;
} connectable[] = {
    {53, FOR_NAMES},
};

/* The version, or -1 with errno set. */
static long
version(void)
{
    long n = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

    if (n < 1 || (size_t)n <= VERSION_LAST)
        return n;
    return VERSION_LAST;
}

int
landlock_lack(void)
{
    return version() < 1 ? errno : 0;
}

static int
add_path(int ruleset, const char *path)
{
    struct path_rule rule = {FS_READ, open(path, O_PATH | O_CLOEXEC)};
    int result;

    if (rule.parent == -1)
        return 0; /* there is nothing to be read */
    result = (int)syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &rule, 0);
    close(rule.parent);
    return result;
}

static int
add_port(int ruleset, uint16_t port)
{
    const struct port_rule rule = {TCP_CONN, port};

    return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0);
}

static int
add_rules(int ruleset, bool has_ports, unsigned who,
          const struct sandbox_reach *reach)
{
    for (size_t i = 0; i < sizeof readable / sizeof readable[0]; i++)
        if ((readable[i].who & who) != 0
            && add_path(ruleset, readable[i].path) == -1)
            return -1;
    if (!has_ports)
        return 0;
    for (size_t i = 0; i < sizeof connectable / sizeof connectable[0]; i++)
        if ((connectable[i].who & who) != 0
            && add_port(ruleset, connectable[i].port) == -1)
            return -1;
    for (size_t i = 0; i < reach->port_count; i++)
        if (add_port(ruleset, reach->ports[i]) == -1)
            return -1;
    return 0;
}

int
landlock_enter(enum sandbox_kind kind, const struct sandbox_reach *reach)
{
    long n = version();
    int ruleset;
    int result = -1;

    if (n < 1)
        return -1;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &versions[n],
                           sizeof versions[n], 0);
    if (ruleset == -1)
        return -1;
    if (add_rules(ruleset, versions[n].net != 0, rights_of(kind, reach), reach)
        == 0)
        result = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    net_close(&ruleset);
    return result;
}
