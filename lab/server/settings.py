"""The kernel settings that decide, or hide, what a TCP shows on the wire."""

from __future__ import annotations

import contextlib
import os
import platform
from typing import Final

READ: Final = (
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_nonlocal_bind",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_challenge_ack_limit",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_early_retrans",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_fastopen",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_invalid_ratelimit",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_no_metrics_save",
    "net.ipv4.tcp_orphan_retries",
    "net.ipv4.tcp_retries1",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_rfc1337",
    "net.ipv4.tcp_rto_min_us",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_synack_retries",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_wmem",
)
"""Read and reported wherever a server runs; what a kernel does not have is left out."""


def _path_of(name: str) -> str:
    """The file of a setting. Names are as sysctl(8) has them: dots between the parts, or slashes."""
    return "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))


def read_setting(name: str) -> str:
    """One setting, the numbers in it one space apart. Raises OSError where there is none, or no right to read it."""
    file = os.open(_path_of(name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return " ".join(os.read(file, 4096).decode().split())
    finally:
        os.close(file)


def write_setting(name: str, value: str) -> None:
    """Write one setting of the network namespace this process is in. Raises OSError."""
    file = os.open(_path_of(name), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, value.encode())
    finally:
        os.close(file)


def read_settings() -> dict[str, str]:
    """The settings of the network namespace this process is in."""
    found: dict[str, str] = {}
    for name in READ:
        with contextlib.suppress(OSError):
            found[name] = read_setting(name)
    return found


def kernel() -> str:
    """The running kernel: "Linux 6.1.0-42-amd64"."""
    return f"{platform.system()} {platform.release()}"
