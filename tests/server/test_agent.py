"""The agent's calls, over loopback: each as the protocol promises it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import agents
import pytest

from lab.server.client import Accepted, Agent, AgentError, AgentGone
from lab.server.protocol import octets
from lab.tcp.state import State


@pytest.fixture
def agent() -> Iterator[Agent]:
    with agents.over_socketpair() as opened:
        yield opened


@pytest.fixture(params=agents.LOOPBACK)
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    try:
        with socket.socket(socket.AF_INET6 if name == "ipv6" else socket.AF_INET) as trying:
            trying.bind((agents.LOOPBACK[name], 0))
    except OSError:
        pytest.skip(f"this machine has no {name}")
    return name


def connection(agent: Agent, family: str) -> tuple[int, int, Accepted]:
    """Caller's socket and port, and what the listener accepted: both ends are the agent's."""
    listener, port = agent.listen(family)
    caller, own_port = agent.connect_to(family, agents.LOOPBACK[family], port)
    agent.connected(caller)
    return caller, own_port, agent.accept(listener)


def failed(kind: str, errno: str | None = None) -> object:
    return pytest.raises(AgentError, check=lambda e: (e.kind, e.errno) == (kind, errno))


def test_hello_tells_kernel_addresses_and_settings(agent: Agent) -> None:
    assert agent.kernel.startswith("Linux ")
    assert agent.addresses == agents.LOOPBACK
    assert agent.settings["net.ipv4.tcp_fin_timeout"].isdigit()
    assert not agent.raw


def test_a_connection_from_both_ends(agent: Agent, family: str) -> None:
    caller, own_port, accepted = connection(agent, family)
    assert accepted.address == agents.LOOPBACK[family]
    assert accepted.port == own_port
    assert agent.send(caller, b"there\n") == 6
    assert agent.receive(accepted.socket) == (b"there\n", False)
    agent.shutdown(caller)
    assert agent.receive(accepted.socket) == (b"", True)
    agent.send(accepted.socket, b"and back")
    agent.close(accepted.socket)
    assert agent.receive(caller, 3) == (b"and", False)
    assert agent.receive(caller) == (b" back", False)
    assert agent.receive(caller) == (b"", True)


def test_states_are_reported(agent: Agent, family: str) -> None:
    host = agents.LOOPBACK[family]
    listener, port = agent.listen(family)
    caller, own_port = agent.connect_to(family, host, port)
    agent.connected(caller)
    accepted = agent.accept(listener)
    assert agent.state(family, (host, port), (host, own_port)) == State.ESTABLISHED
    state, info = agent.state_and_info(family, (host, port), (host, own_port))
    assert (state, info and info["state"]) == (State.ESTABLISHED, 1)
    agent.close(caller)
    assert agent.receive(accepted.socket) == (b"", True)
    assert agent.state(family, (host, port), (host, own_port)) == State.CLOSE_WAIT
    agent.close(accepted.socket)
    assert agent.state(family, (host, own_port), (host, port)) == State.TIME_WAIT
    assert agent.state(family, (host, port), (host, own_port)) == State.CLOSED


def test_nobody_listens_on_a_closed_port(agent: Agent, family: str) -> None:
    port = agent.closed_port(family)
    caller, _ = agent.connect_to(family, agents.LOOPBACK[family], port)
    for _ in range(2):  # asked again, it says the same and does not connect anew
        with failed("os", "ECONNREFUSED"):
            agent.connected(caller)
    with failed("os", "EADDRINUSE"):
        agent.listen(family, port)


def test_an_abort_resets(agent: Agent) -> None:
    caller, _, accepted = connection(agent, "ipv4")
    agent.abort(accepted.socket)
    with failed("os", "ECONNRESET"):
        agent.receive(caller)


def test_what_does_not_come_in_time_is_a_timeout(agent: Agent) -> None:
    listener, _ = agent.listen("ipv4")
    with failed("timeout"):
        agent.accept(listener, timeout=0)
    began = time.monotonic()
    with failed("timeout"):
        agent.accept(listener, timeout=0.2)
    assert 0.2 <= time.monotonic() - began < 5


def test_calls_that_wait_block_no_others_and_are_answered_when_it_happens(agent: Agent) -> None:
    listener, port = agent.listen("ipv4")
    first = agent.begin("accept", 30, socket=listener, timeout=30)
    second = agent.begin("accept", 30, socket=listener, timeout=30)
    agent.ping()
    callers = [agent.connect_to("ipv4", "127.0.0.1", port) for _ in range(2)]
    assert first.result()["port"] == callers[0][1]
    assert second.result()["port"] == callers[1][1]


def test_answers_come_out_of_order(agent: Agent) -> None:
    caller, _, accepted = connection(agent, "ipv4")
    late = agent.begin("receive", 30, socket=accepted.socket, size=10, timeout=30)
    other = agent.begin("receive", 30, socket=caller, size=10, timeout=30)
    agent.send(accepted.socket, b"first")
    assert other.result()["data"] == "Zmlyc3Q="
    agent.send(caller, b"then")
    assert late.result() == {"data": "dGhlbg==", "end": False}


def test_closing_a_socket_answers_what_waited_on_it(agent: Agent) -> None:
    listener, _ = agent.listen("ipv4")
    waiting = agent.begin("accept", 30, socket=listener, timeout=30)
    agent.close(listener)
    with failed("os", "ECANCELED"):
        waiting.result()
    with failed("argument"):
        agent.accept(listener)


def test_sending_more_than_the_kernel_takes_says_how_much_it_took(agent: Agent) -> None:
    caller, _, accepted = connection(agent, "ipv4")
    total = 0
    with failed("timeout"):
        while True:
            total += agent.send(caller, bytes(500_000), timeout=0.1)
    received = 0
    while received < total:
        received += len(agent.receive(accepted.socket, 500_000)[0])
    assert received == total


def test_a_send_that_waits_goes_on_when_there_is_room(agent: Agent) -> None:
    caller, _, accepted = connection(agent, "ipv4")
    data = bytes(range(256)) * 2048
    pending = [agent.begin("send", 30, socket=caller, data=octets(data), timeout=30) for _ in range(12)]
    got = b""
    while len(got) < 12 * len(data):
        got += agent.receive(accepted.socket, 500_000)[0]
    assert [p.result()["sent"] for p in pending] == [len(data)] * 12
    assert got == data * 12


def test_a_connection_that_nobody_answers_is_pending(agent: Agent) -> None:
    """A listener whose backlog is full answers no SYN: the caller stays in SYN-SENT."""
    listener, port = agent.listen("ipv4", backlog=0)
    callers = [agent.connect_to("ipv4", "127.0.0.1", port) for _ in range(4)]
    with failed("timeout"):
        agent.connected(callers[3][0], timeout=0.2)
    assert agent.state("ipv4", ("127.0.0.1", callers[3][1]), ("127.0.0.1", port)) == State.SYN_SENT
    assert agent.accept(listener).port == callers[0][1]


def test_options_are_set_before_and_after(agent: Agent) -> None:
    listener, _ = agent.listen("ipv4", options={"TCP_DEFER_ACCEPT": 1, "SO_RCVBUF": 8192})
    assert agent.get(listener, "SO_RCVBUF") == 16384  # the kernel doubles it: socket(7)
    agent.set(listener, "TCP_MAXSEG", 700)
    assert agent.get(listener, "TCP_INFO")["state"] == 10  # TCP_LISTEN
    with failed("argument"):
        agent.listen("ipv4", options={"TCP_NONSENSE": 1})
    with failed("os", "EINVAL"):
        agent.set(listener, "TCP_MAXSEG", 1)


def test_a_local_port_can_be_chosen(agent: Agent) -> None:
    _, port = agent.listen("ipv4")
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        free = finder.getsockname()[1]
    caller, own = agent.connect_to("ipv4", "127.0.0.1", port, local_port=free)
    assert own == free
    agent.connected(caller)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("connect", {"family": "ipv6", "address": "127.0.0.1", "port": 1}),
        ("state", {"family": "ipv6", "local": ["127.0.0.1", 1], "remote": ["::1", 1]}),
        ("receive", {"socket": 99, "size": 1, "timeout": 0}),
        ("hello", {"version": 1}),
        ("listen", {"family": "ipv4", "nonsense": 1}),
    ],
)
def test_wrong_arguments_are_refused_and_the_connection_stands(
    agent: Agent, call: str, arguments: dict[str, object]
) -> None:
    with failed("argument"):
        agent.call(call, **arguments)
    with failed("unknown"):
        agent.call("reboot")
    agent.ping()


def test_connected_is_for_callers(agent: Agent) -> None:
    listener, _ = agent.listen("ipv4")
    with failed("argument"):
        agent.connected(listener)
    with failed("os", "ENOTCONN"):
        agent.receive(listener)


def test_services_start_when_asked(agent: Agent) -> None:
    ports = agent.services()
    assert set(ports) == {"echo", "discard", "half-close", "close-first", "websocket"}
    assert agent.services() == ports
    with socket.create_connection(("127.0.0.1", ports["echo"]), 5) as client:
        client.sendall(b"echo me")
        assert client.recv(100) == b"echo me"


def test_an_agent_that_is_gone_is_said_to_be_gone() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(AgentGone):
        Agent(ours)


def test_a_disconnected_agent_is_gone(agent: Agent) -> None:
    assert agent.alive
    agent.disconnect()
    assert not agent.alive
    with pytest.raises(AgentGone):
        agent.ping()
