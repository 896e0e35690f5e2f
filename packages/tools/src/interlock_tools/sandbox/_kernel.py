"""Calls into the Linux kernel that Python has no name for. Stands alone: no package is found when it runs."""

import ctypes
import os
import platform
import struct

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x4_0000
MNT_DETACH = 2

_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4
_SYS_MOUNT_SETATTR = 442
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP = 1, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPABILITY_VERSION_3 = 0x2008_0522
_SIGKILL, _EINVAL = 9, 22

LIBC = ctypes.CDLL(None, use_errno=True)
_ROOT_CALLS = {"x86_64": 155, "aarch64": 41}
"""The number of `pivot_root` by machine."""


def checked(answer: int, what: str) -> None:
    """Turn a negative answer into the error that the kernel meant.

    Raises:
        OSError: It was negative.
    """
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave some namespaces for new ones.

    Raises:
        OSError: The kernel does not allow it.
    """
    checked(LIBC.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int = 0, data: str = "") -> None:
    """Mount.

    Raises:
        OSError: The kernel does not allow it.
    """
    arguments = (
        *(source.encode(), target.encode(), None if kind is None else kind.encode()),
        *(ctypes.c_ulong(flags), data.encode() or None),
    )
    checked(LIBC.mount(*arguments), f"mount {kind or source} at {target}")


def unmount(target: str) -> None:
    """Unmount, at the latest when the last user is gone.

    Raises:
        OSError: The kernel does not allow it.
    """
    checked(LIBC.umount2(target.encode(), MNT_DETACH), f"unmount {target}")


def seal(target: str, *, writable: bool = False, recursive: bool = True) -> None:
    """Make a mount, with all below it, read-only and void of setuid programs and devices.

    Raises:
        OSError: The kernel does not allow it, or is older than 5.12.
    """
    wanted = _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV | (0 if writable else _MOUNT_ATTR_RDONLY)
    attributes = struct.pack("=QQQQ", wanted, 0, 0, 0)
    flags = ctypes.c_uint(_AT_RECURSIVE if recursive else 0)
    answer = LIBC.syscall(
        *(ctypes.c_long(_SYS_MOUNT_SETATTR), ctypes.c_int(_AT_FDCWD), target.encode(), flags),
        *(attributes, ctypes.c_size_t(len(attributes))),
    )
    checked(answer, f"mount_setattr {target}")


def change_root(folder: str) -> None:
    """Make a folder the root, and let go of the old one.

    Raises:
        OSError: The kernel does not allow it.
    """
    os.chdir(folder)
    number = _ROOT_CALLS[platform.machine()]
    checked(LIBC.syscall(ctypes.c_long(number), b".", b"."), "pivot_root")
    unmount(".")
    os.chdir("/")


def die_with_parent() -> None:
    """Be killed when the process that made this one ends."""
    checked(LIBC.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "prctl")


def close_bounds() -> None:
    """Let nothing that is started from here on gain a capability; it takes capabilities to do so.

    Raises:
        OSError: The kernel does not allow it.
    """
    checked(LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    for capability in range(64):
        if LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            if ctypes.get_errno() != _EINVAL:
                checked(-1, "bounding set")
            break  # the kernel has no more of them
    checked(LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient capabilities")


def drop_capabilities() -> None:
    """Give up every capability of this process.

    Raises:
        OSError: The kernel does not allow it.
    """
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    checked(LIBC.capset(header, bytes(24)), "capset")


def raise_loopback() -> None:
    """Switch on the loopback of this network namespace, the only interface that it has."""
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
