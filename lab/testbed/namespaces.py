"""The calls into Linux that make a sandbox: namespaces, offloads, settings, and dying with one's parent."""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lab.server.settings import write_setting

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_PR_SET_PDEATHSIG: Final = 1
_NEEDED: Final = (1 << 12) | (1 << 13) | (1 << 21)
"""CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN."""
_SIOCETHTOOL: Final = 0x8946
_ETHTOOL_SETTERS: Final = {
    "transmit checksums": 0x17,
    "TCP segmentation": 0x1F,
    "segmentation": 0x24,
    "receive merging": 0x2C,
}

_libc: Final = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def may_make_namespaces() -> bool:
    """Whether this process may make network namespaces where it is, and what belongs in them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16) & _NEEDED == _NEEDED
    return False


def enter_user_namespace() -> None:
    """Become root in a user namespace of one's own. Single-threaded processes only. Raises OSError."""
    uid, gid = os.geteuid(), os.getegid()
    _checked(_libc.unshare(_CLONE_NEWUSER))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def enter_network_namespace() -> None:
    """Move into a new, empty network namespace. Raises OSError."""
    _checked(_libc.unshare(_CLONE_NEWNET))


def current_network_namespace() -> int:
    """A file descriptor of the network namespace this process is in; the caller closes it."""
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def return_to(namespace: int) -> None:
    """Move into the network namespace of that file descriptor. Raises OSError."""
    _checked(_libc.setns(namespace, _CLONE_NEWNET))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent is gone; ends at once where that has happened already.

    The parent must be single-threaded: Linux sends the signal when the *thread* that forked ends (prctl(2)).
    """
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:
        os._exit(0)


def without_offloads(interface: str) -> None:
    """Have the kernel compute checksums and cut segments itself, so that a capture shows what a wire would carry."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for command in _ETHTOOL_SETTERS.values():
            value = array.array("I", [command, 0])
            request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
            # One that the device does not have needs no switching off.
            with contextlib.suppress(OSError):
                fcntl.ioctl(asking, _SIOCETHTOOL, request)


def write_settings(wanted: Mapping[str, str], *, required: bool) -> None:
    """Write settings of the network namespace this process is in, by their sysctl names.

    What is not required and cannot be written (an older kernel, a read-only /proc/sys) is left as it is. Raises OSError
    with the setting's name otherwise.
    """
    for name, value in wanted.items():
        try:
            write_setting(name, value)
        except OSError as error:
            if required:
                raise OSError(error.errno, f"{name}: {error.strerror}") from None
