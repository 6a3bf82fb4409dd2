"""A server with the lab's agent on another host or in another container (`lab serve`)."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from lab.server.client import Agent, AgentError, AgentGone
from lab.testbed.base import Settle
from lab.testbed.errors import CannotRun
from lab.testbed.remote import Addresses, Way, choose_mac, find_way, open_link
from lab.wire.link import Link


class Host:
    """The agent's host, over a network. A `lab.testbed.base.Testbed`."""

    name: Final = "host"
    settle: Final[Settle] = "fence"

    def __init__(self, link: Link, agent: Agent, peer_mac: bytes, way: Way) -> None:
        """Use `open`."""
        self.link = link
        self.agent: Agent | None = agent
        self.peer_mac = peer_mac
        self.way = way

    @classmethod
    def open(
        cls,
        interface: str,
        control: tuple[str, int],
        token: str,
        *,
        spare: Addresses | None = None,
        gateways: Addresses | None = None,
    ) -> Host:
        """Reach the agent at `control`, find spare addresses on `interface` (or take those in `spare`, by family), and
        the server's MAC address. Raises CannotRun.
        """
        link = open_link(interface)
        try:
            agent = _reach(control, token)
            try:
                mac = choose_mac(link)
                way = find_way(link, mac, agent.addresses, spare or {}, gateways or {})
            except BaseException:
                agent.disconnect()
                raise
        except BaseException:
            link.close()
            raise
        return cls(link, agent, mac, way)

    @property
    def server_mac(self) -> bytes:
        """The MAC address of the server, or of the gateway to it."""
        return self.way.server_mac

    @property
    def kernel(self) -> str:
        """The server's kernel."""
        return self.agent.kernel if self.agent else ""

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the server's kernel."""
        return self.agent.settings if self.agent else {}

    def peer_address(self, family: str) -> str | None:
        """The spare address that the peer uses; None where that family cannot be used (`way.missing` says why)."""
        return self.way.peer.get(family)

    def server_address(self, family: str) -> str | None:
        """The server's address."""
        return self.way.server.get(family)

    def close(self) -> None:
        """Leave the agent, which closes what was opened, and close the link."""
        if self.agent is not None:
            self.agent.disconnect()
        self.link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _reach(control: tuple[str, int], token: str) -> Agent:
    try:
        return Agent.connect(*control, token)
    except AgentGone as error:
        raise CannotRun(f"There is no agent: {error}", "") from error
    except AgentError as error:
        step = {
            "token": "Give the lab the token that the server was started with.",
            "version": "Run the same version of the lab on both sides.",
        }.get(error.kind, "Is it an agent of the lab that listens there?")
        raise CannotRun(f"The agent on {control[0]} port {control[1]} refuses: {error.message}.", step) from error
