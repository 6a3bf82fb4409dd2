"""What every testbed offers: a link to the server, its addresses, and its agent where it has one."""

from __future__ import annotations

from typing import Literal, Protocol

from lab.server.client import Agent
from lab.wire.link import Link

Settle = Literal["exact", "agent", "fence", "wait"]
"""How the lab knows that the server has handled a segment and said all it says at once:

- exact: when `link.send` has returned, the answer is queued (veth: the server kernel's receive path ran inside it);
- agent: when the agent has answered a `ping` sent behind it (a stack written by hand that drains its link first);
- fence: when a probe sent behind it has been answered;
- wait: after waiting.
"""


class Testbed(Protocol):
    """Where a server runs, and how to reach it."""

    @property
    def name(self) -> str:
        """ "sandbox", "host" or "target"."""
        ...

    @property
    def link(self) -> Link:
        """The packet socket on the peer's side."""
        ...

    @property
    def agent(self) -> Agent | None:
        """The server's agent; None where the server has none."""
        ...

    @property
    def peer_mac(self) -> bytes:
        """The MAC address from which the peer sends."""
        ...

    @property
    def server_mac(self) -> bytes:
        """The MAC address of the server, or of the gateway to it."""
        ...

    @property
    def settle(self) -> Settle:
        """How the lab knows that the server has handled a segment."""
        ...

    @property
    def kernel(self) -> str:
        """The server's kernel ("Linux 6.1.0"), "" where it is not known."""
        ...

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the server's kernel, as far as they are known."""
        ...

    def peer_address(self, family: str) -> str | None:
        """The peer's address of a family ("ipv4", "ipv6"); None where the testbed lacks that family."""
        ...

    def server_address(self, family: str) -> str | None:
        """The server's address of a family."""
        ...

    def close(self) -> None:
        """Give back all of it. A second time it does nothing."""
        ...


Testbed.__test__ = False  # type: ignore[attr-defined]  # for pytest its name looks like that of a test class
