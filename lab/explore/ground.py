"""Where a session is played: ground that can be had anew when the old one is gone."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from lab.scenario.bench import Family
from lab.testbed.base import Testbed
from lab.testbed.errors import CannotRun
from lab.testbed.host import Host
from lab.testbed.sandbox import Sandboxes
from lab.testbed.target import Target

_ECHOING = frozenset({"/echo", "/members"})
"""Where the lab's own test server sends each message back."""
_NAMES = {"ipv4": "IPv4", "ipv6": "IPv6"}


class Ground:
    """Opens testbeds of one kind, one after another. A context manager: nothing is left behind."""

    def __init__(self, kind: str, options: dict[str, Any], family: Family) -> None:
        """`kind` is "sandbox", "host" or "target", `options` what its `open()` takes."""
        self.kind = kind
        self.options = options
        self.family: Family = family
        self._sandboxes = Sandboxes() if kind == "sandbox" else None
        if self._sandboxes is not None:
            self._sandboxes.start()
        self._open: Testbed | None = None

    def fresh(self) -> Testbed:
        """New ground; the old one is given back. Raises CannotRun where there is none, or not of this family."""
        self.leave()
        testbed: Testbed
        if self._sandboxes is not None:
            testbed = self._sandboxes.make(serve=self.options.get("serve"), path=self.options.get("path", ()))
        elif self.kind == "host":
            testbed = Host.open(**self.options)
        else:
            testbed = Target.open(**self.options)
        self._open = testbed
        if isinstance(testbed, Target):
            testbed.knock()
        if testbed.peer_address(self.family) is None:
            raise CannotRun(
                f"There is no {_NAMES[self.family]} here.",
                "Use the other family: " + ("leave --ipv6 out." if self.family == "ipv6" else "--ipv6."),
            )
        return testbed

    @property
    def echoing(self) -> frozenset[str] | None:
        """Paths where the WebSocket server is known to send each message back; None for all of them."""
        return echoing(own=self.kind != "target" and "serve" not in self.options, told=self.options.get("echoes"))

    def leave(self) -> None:
        """Give back what is open."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        if self._sandboxes is not None:
            self._sandboxes.close()


def echoing(*, own: bool, told: bool | None) -> frozenset[str] | None:
    """The same of the lab's `own` server, or of another of which it was `told` that it echoes."""
    return _ECHOING if own else None if told else frozenset()
