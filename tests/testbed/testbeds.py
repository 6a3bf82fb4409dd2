"""What tests of testbeds share: frames by hand, and looking for what was left behind."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from lab.tcp.segment import Segment
from lab.testbed.base import Testbed
from lab.wire.codec import TcpFrame, decode, encode


def send(testbed: Testbed, family: str, port: int, segment: Segment, *, own: int = 5000, **more: int) -> None:
    """Send a segment from the peer's port `own`."""
    source, destination = testbed.peer_address(family), testbed.server_address(family)
    assert source is not None
    assert destination is not None
    frame = encode(
        segment,
        source=source,
        destination=destination,
        sport=own,
        dport=port,
        source_mac=testbed.peer_mac,
        destination_mac=testbed.server_mac,
        **more,
    )
    testbed.link.send(frame)


def answers(testbed: Testbed) -> list[Segment]:
    """The TCP segments queued now."""
    frames = [decode(captured.frame) for captured in testbed.link.drain()]
    return [frame.segment for frame in frames if isinstance(frame, TcpFrame)]


def eventually(holds: Callable[[], bool], within: float = 10.0) -> bool:
    """Whether something holds before `within` seconds are over: for what the kernel does in its own time."""
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def is_gone(pid: int) -> bool:
    """Whether no process of that pid lives any more (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


_held: deque[int] = deque()
_MOST_HELD = 40


def namespace_of(pid: int) -> str:
    """The network namespace of a process.

    It is held on to for a while, so that the kernel gives its number to no other one, of another test perhaps.
    """
    _held.append(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC))
    if len(_held) > _MOST_HELD:
        os.close(_held.popleft())
    return f"net:[{os.fstat(_held[-1]).st_ino}]"


def in_use(namespaces: set[str]) -> set[str]:
    """Those of the network namespaces in which a process lives."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.add(str((entry / "ns/net").readlink()))
            except OSError:
                continue
    return found & namespaces


def children_of(pid: int) -> set[int]:
    """The pids whose parent is `pid`."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] not in "ZX":
                found.add(int(entry.name))
    return found
