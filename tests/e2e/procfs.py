"""procfs.py - what /proc says of processes, and their network namespaces

SPDX-License-Identifier: MPL-2.0
"""

import ctypes
import os
import threading

CLONE_NEWNET = 0x40000000


def _stat(pid):
    """The fields of /proc/PID/stat after the name: state, ppid, ..."""
    with open(f"/proc/{pid}/stat") as stream:
        return stream.read().rpartition(")")[2].split()


def alive(pid):
    """True if the process exists and is no zombie."""
    try:
        return _stat(pid)[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def family(root, mark):
    """Living processes in root's session, below it, or with the mark."""
    found, parents = set(), {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        pid = int(name)
        try:
            fields = _stat(pid)
            with open(f"/proc/{pid}/environ", "rb") as stream:
                environment = stream.read().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if fields[0] in "ZX":
            continue
        parents[pid] = int(fields[1])
        if int(fields[3]) == root or mark.encode() in environment:
            found.add(pid)
    grown = True
    while grown:
        below = {pid for pid, parent in parents.items()
                 if parent in found or parent == root}
        grown = not below <= found
        found |= below
    return sorted(found)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def remembers(pid, secret):
    """True if the bytes stand somewhere in memory that the process writes."""
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, mode = line.split()[:2]
            if mode[:2] == "rw":
                begin, end = (int(text, 16) for text in span.split("-"))
                memory.seek(begin)
                if secret in memory.read(end - begin):
                    return True
    return False


def pss(pid):
    """Proportional set size in bytes: memory with shared pages divided."""
    with open(f"/proc/{pid}/smaps_rollup") as stream:
        for line in stream:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"no Pss of {pid}")


def in_netns(pid, function):
    """Call function in a thread inside the network namespace of pid.

    Sockets stay in the namespace that they were made in.
    """
    result = []

    def run():
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                if libc.setns(fd, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(fd)
            result.append((function(), None))
        except BaseException as error:
            result.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    value, error = result[0]
    if error is not None:
        raise error
    return value
