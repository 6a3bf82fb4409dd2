"""Records made by hand: what a run would have left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.scenario.record import Call, Packet, Problem, Remark, Result, Run, Sender, Verdict
from lab.tcp import options
from lab.tcp.segment import Segment, flags_from
from lab.tcp.sequence import Seq
from lab.tcp.state import State

X, Y = 0xFFFF_FFFF, 1000
"""The two ends' initial numbers; the lab's SYN wraps."""
OPTIONS = options.pack([options.mss(1460), options.sack_permitted(), options.timestamps(7), options.window_scale(7)])

MakePacket = Callable[..., Packet]


def packet(
    number: int,
    time: float,
    sender: Sender,
    flags: str,
    seq: int,
    ack: int | None,
    states: tuple[State | None, State | None] = (None, None),
    *,
    payload: bytes = b"",
    carries: bytes = b"",
    connection: str = "A",
    **more: object,
) -> Packet:
    """A packet with relative numbers, the absolute ones being worked out."""
    first, other = (X, Y) if sender == "peer" else (Y, X)
    segment = Segment(flags_from(flags), Seq(first + seq), Seq(other + (ack or 0)), payload=payload, options=carries)
    made = Packet(
        number=number,
        time=time,
        timestamp=1_700_000_000 + time,
        sender=sender,
        frame=bytes(60),
        segment=segment,
        connection=connection,
        seq=seq,
        ack=ack,
        peer_state=states[0],
        server_state=states[1],
        rule="RFC 9293 §3.5",
    )
    return replace(made, **more)


def three_segments(family: str = "ipv4") -> Result:
    """A server that conforms."""
    s = State
    return Result(
        name="handshake/three_segments",
        title="A server opens in three segments",
        family=family,  # type: ignore[arg-type]
        verdict=Verdict.CONFORMS,
        description="The SYN and the SYN+ACK use up one number each.",
        documents=("RFC 9293 §3.5 figure 6",),
        evidence_for=("MUST-13",),
        file="scenarios/handshake/three_segments.py",
        seconds=0.0123,
        checks=12,
        witnesses=("wire", "socket", "model"),
        silence="exact",
        captured=4,
        peer_address="198.51.100.2",
        server_address="198.51.100.1",
        isns={"A": (X, Y)},
        timeline=[
            Call(0.0001, 0, "call", "listen()", "A"),
            Packet(1, 0.0002, 1_700_000_000.0002, "server", bytes(42), summary="ARP: who has 198.51.100.2?"),
            packet(2, 0.00021, "peer", "S", 0, None, (s.SYN_SENT, s.SYN_RECEIVED), carries=OPTIONS),
            packet(3, 0.00034, "server", "SA", 0, 1, (s.ESTABLISHED, s.SYN_RECEIVED), carries=OPTIONS),
            Call(0.0004, 3, "check", "server is in SYN-RECEIVED", "A"),
            packet(4, 0.00051, "peer", "A", 1, 1, (s.ESTABLISHED, s.ESTABLISHED)),
            Call(0.0007, 4, "call", "accept()", "A"),
        ],
    )


def wrong_ack(family: str = "ipv4") -> Result:
    """A server whose SYN+ACK acknowledges one too many."""
    right = three_segments(family)
    problem = Problem(
        verdict=Verdict.VIOLATES,
        message="the server's SYN+ACK does not acknowledge our SYN",
        file="scenarios/handshake/three_segments.py",
        line=22,
        source='syn_ack = peer.expect(TCP(flags="SA", ack=x + 1))',
        field="ack",
        expected="1",
        observed="2",
        expected_packet="< SA seq 0 ack 1",
        observed_packet="< SA seq 0 ack 2",
        frame=3,
        section="RFC 9293 §3.5",
        wire="SYN+ACK seen, 3 frames captured, none lost",
        socket="SYN-RECEIVED",
        model="server SYN-RECEIVED, lab SYN-SENT",
        witness="script",
        next_step="look at frame 3 of the capture",
    )
    states = State.SYN_SENT, State.SYN_RECEIVED
    return replace(
        right,
        name="handshake/wrong_ack",
        verdict=Verdict.VIOLATES,
        timeline=[*right.timeline[:3], packet(3, 0.00034, "server", "SA", 0, 2, states, problem=0)],
        problems=[problem],
        capture=f"lab-out/handshake/wrong_ack-{family}.pcapng",
    )


def deviates() -> Result:
    """A server with a known deviation."""
    remark = Remark(
        verdict=Verdict.DEVIATES,
        choice="duplicate-syn",
        says="a repeated SYN is answered with the SYN+ACK again",
        section="RFC 9293 §3.10.7.4",
        source="Linux tcp_check_req",
        requirements=("MUST-10",),
    )
    return replace(three_segments(), name="handshake/repeated_syn", verdict=Verdict.DEVIATES, remarks=[remark])


def unseen() -> Result:
    """A run of which the capture lost a part."""
    problem = Problem(Verdict.INCONCLUSIVE, "the kernel dropped 3 frames of this run", next_step="run it again")
    return replace(three_segments(), name="teardown/lost", verdict=Verdict.INCONCLUSIVE, problems=[problem])


def not_run() -> Result:
    """A run that could not be."""
    problem = Problem(Verdict.CANNOT_RUN, "this testbed has no IPv6 address:", next_step="give it one")
    return replace(
        three_segments("ipv6"), name="teardown/lost", verdict=Verdict.CANNOT_RUN, problems=[problem], timeline=[]
    )


def of(*results: Result, seconds: float = 1.5) -> Run:
    """A run of these results."""
    return Run("0.1.0", "sandbox", "6.1.0", 42, list(results), seconds)


@pytest.fixture
def make_packet() -> MakePacket:
    """`packet`, for tests that draw their own ladder."""
    return packet


@pytest.fixture
def conforming() -> Result:
    """A server that conforms."""
    return three_segments()


@pytest.fixture
def violating() -> Result:
    """A server whose SYN+ACK acknowledges one too many."""
    return wrong_ack()


@pytest.fixture
def mixed() -> Run:
    """One run of each verdict but one, and both families of two scenarios."""
    return of(three_segments(), three_segments("ipv6"), wrong_ack(), wrong_ack("ipv6"), deviates(), unseen(), not_run())
