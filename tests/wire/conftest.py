"""A veth pair in a network namespace of its own, as root or in a user namespace; tests that need it skip without."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.wire.link import Link


class Namespace:
    """The helper process that holds the namespace."""

    def __init__(self) -> None:
        self.channel, theirs = socket.socketpair()
        root = Path(__file__).resolve().parents[2]
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
        with theirs:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-W",
                    "ignore",
                    str(Path(__file__).with_name("namespace_helper.py")),
                    str(theirs.fileno()),
                ],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": path},
            )
        self.channel.settimeout(30)
        self.cannot: str | None = self._read()[0].get("cannot")

    def _read(self) -> tuple[dict[str, Any], list[int]]:
        line, fds = b"", []
        while not line.endswith(b"\n"):
            some, more, _, _ = socket.recv_fds(self.channel, 65536, 1)
            fds += more
            if not some:
                return {"cannot": "the helper ended"}, fds
            line += some
        return json.loads(line), fds

    def tell(self, **order: Any) -> dict[str, Any]:
        self.channel.sendall(json.dumps(order).encode() + b"\n")
        answer, _ = self._read()
        assert "cannot" not in answer
        return answer

    def link(self, interface: str) -> Link:
        self.channel.sendall(json.dumps({"do": "open", "interface": interface}).encode() + b"\n")
        answer, fds = self._read()
        assert answer == {"fd": 1}
        return Link.adopt(fds[0], interface)

    def close(self) -> None:
        self.channel.close()
        try:
            self.process.wait(timeout=30)
        finally:
            self.process.kill()  # nothing to one that has ended
            self.process.wait()


def _made() -> Iterator[Namespace]:
    made = Namespace()
    try:
        if made.cannot:
            pytest.skip(f"no network namespace can be had here, as root or in a user namespace: {made.cannot}")
        yield made
    finally:
        made.close()


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """One for this test alone, in which the kernel has heard of nobody."""
    yield from _made()


@pytest.fixture(scope="session")
def shared_namespace() -> Iterator[Namespace]:
    """One for all tests that do no harm to each other."""
    yield from _made()


@pytest.fixture
def lab_end(namespace: Namespace) -> Iterator[Link]:
    """The lab's end of the pair."""
    with namespace.link("va") as link:
        yield link


@pytest.fixture
def kernel_end(namespace: Namespace) -> Iterator[Link]:
    """A witness at the kernel's end."""
    with namespace.link("vb") as link:
        yield link


@pytest.fixture
def quiet_pair(shared_namespace: Namespace) -> Iterator[tuple[Link, Link]]:
    """Both ends of a pair on which no kernel says anything."""
    with shared_namespace.link("vc") as one, shared_namespace.link("vd") as other:
        yield one, other
