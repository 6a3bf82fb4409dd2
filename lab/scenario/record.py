"""What a run leaves behind: every packet, every call, every finding. Reports read this and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from lab.tcp.profile import Choice
from lab.tcp.segment import Segment
from lab.tcp.state import State

if TYPE_CHECKING:
    from lab.tcp.outlook import Move

Sender = Literal["peer", "server", "kernel", "other"]
"""Who sent a frame: the lab, the server under test, the lab's own kernel (which must not), or somebody else."""


LOST = "lost on the way"
"""The note on a segment that its receiver never saw: the script had the network lose it."""
DELAYED = "delayed on the way"
"""The note on a segment that its receiver sees later: the script had the network hold it back."""


class Verdict(StrEnum):
    """What a run says about the server, best first."""

    CONFORMS = "conforms"
    PERMITTED = "permitted"
    DEVIATES = "deviates"
    VIOLATES = "violates"
    INCONCLUSIVE = "inconclusive"
    CANNOT_RUN = "cannot run"


@dataclass(slots=True)
class Packet:
    """One frame of the capture."""

    number: int
    """Its number in the capture, from 1."""
    time: float
    """Seconds since the run began."""
    timestamp: float
    """Seconds since the epoch, for the capture file."""
    sender: Sender
    frame: bytes
    """The whole frame, from the Ethernet header on."""
    segment: Segment | None = None
    """None where the frame is not TCP (ARP, neighbour discovery)."""
    summary: str = ""
    """One line for a frame that is not TCP."""
    connection: str = ""
    """Which connection of the run it belongs to: "A" for the first, "B" … ; "" for none."""
    seq: int | None = None
    """Relative sequence number: 0 is the sender's first SYN. None where that is not known."""
    ack: int | None = None
    """Relative acknowledgement number, None where the ACK bit is not set or the other's ISN is not known."""
    peer_state: State | None = None
    """The lab's end after this packet, None where there is no model of it."""
    server_state: State | None = None
    """The server's end after this packet, by the model."""
    rule: str = ""
    """The section of the rule that this packet follows, or that it provokes: "RFC 9293 §3.10.7.4"."""
    note: str = ""
    """A word for the ladder: "retransmission", "delayed ACK", "third segment" …; mostly empty."""
    problem: int | None = None
    """Index in the run's problems of the check that failed on this packet."""
    meant: bool = False
    """Whether it is drawn though it is no TCP: it was sent on purpose, or the server answers such a one."""


@dataclass(slots=True)
class Call:
    """Something on the time line that is no packet: a call of the server's program, a wait, a check that held."""

    time: float
    after_packet: int
    """Number of the last packet before it; 0 where there is none."""
    kind: Literal["call", "wait", "check", "note"]
    text: str
    """For example `listen()`, `close()`, `silence: nothing came`, `server is in SYN-RECEIVED`."""
    connection: str = ""


@dataclass(slots=True)
class Problem:
    """One thing that was not as it should be, for a reader who has never seen the lab."""

    verdict: Verdict
    """What it makes of the run: VIOLATES, INCONCLUSIVE or CANNOT_RUN."""
    message: str
    """One sentence: "the server's SYN+ACK does not acknowledge our SYN"."""
    file: str = ""
    """The scenario's file, relative to where the lab was started when it lies below."""
    line: int = 0
    source: str = ""
    """The text of that line, stripped."""
    field: str = ""
    """The header field, or "state", "silence", "payload", "checksum" …"""
    expected: str = ""
    observed: str = ""
    expected_packet: str = ""
    """In the ladder's notation: `< SA seq 0 ack 1`."""
    observed_packet: str = ""
    frame: int | None = None
    """Number in the capture of the packet concerned."""
    section: str = ""
    """"RFC 9293 §3.5"."""
    connection: str = ""
    """Name of the connection concerned, "" where it is no one's in particular."""
    wire: str = ""
    """Where each witness stood: what the wire showed last,"""
    socket: str = ""
    """what the server's kernel said,"""
    model: str = ""
    """what the model says."""
    witness: str = ""
    """Who complains: "script", "wire", "socket", "model"."""
    next_step: str = ""
    """What the reader can do, where there is something to do."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection by the model: its state and the variables of RFC 9293 §3.3.1.

    Numbers are counted from each side's SYN, windows are octets; None is what that end does not know yet.
    """

    state: State
    snd_una: int | None = None
    snd_nxt: int | None = None
    snd_wnd: int | None = None
    rcv_nxt: int | None = None
    rcv_wnd: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a connection stands: both ends, what each witness says of it, and what may come next."""

    connection: str
    lab: End
    server: End
    kernel: State | None
    """The state that the server's kernel reports, None where nobody can be asked."""
    info: dict[str, int]
    """The kernel's `struct tcp_info` by name (`lab.server.tcp_info`), empty where it keeps none."""
    objection: str
    """What a witness says against another, "" where all agree."""
    rule: str
    """The section that decided what the server did last, and by what it was decided:"""
    why: str
    profile: str
    """The plainest profile that explains the server so far."""
    legal: tuple[Move, ...] = ()
    """What the model allows next, of either end."""
    illegal: tuple[Move, ...] = ()
    """Some of what it does not, and what that would provoke."""
    earlier: bool = False
    """The kernel's word is older than this: it was not asked since, or (None) not asked yet."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What was so when an entry of the time line was written (`lab.scenario.watch`)."""

    standing: Standing
    """Where the entry's connection stood then; where the one before it did, for an entry of none."""
    line: int
    """The line of the scenario's own file that was at work, 0 where the script had ended."""


@dataclass(slots=True)
class Remark:
    """A choice of the server that the document leaves open (permitted) or a known deviation of its stack (deviates)."""

    verdict: Verdict
    """PERMITTED or DEVIATES."""
    choice: str
    """Id of the profile's entry."""
    says: str
    section: str = ""
    source: str = ""
    requirements: tuple[str, ...] = ()


def remark(choice: Choice) -> Remark:
    """A profile's entry as a report tells it."""
    return Remark(
        verdict=Verdict(choice.verdict),
        choice=choice.id,
        says=choice.says,
        section=choice.section,
        source=choice.source,
        requirements=choice.requirements,
    )


@dataclass(slots=True)
class Result:
    """One run of one scenario over one address family."""

    name: str
    """`handshake/three_segments`."""
    title: str
    family: Literal["ipv4", "ipv6"]
    verdict: Verdict
    description: str = ""
    documents: tuple[str, ...] = ()
    evidence_for: tuple[str, ...] = ()
    file: str = ""
    seconds: float = 0.0
    checks: int = 0
    """How many comparisons were made and held or failed: script expectations and witnesses'."""
    witnesses: tuple[str, ...] = ()
    """Those that spoke: "wire", "socket", "model"."""
    silence: str = ""
    """How silence was proven: "exact", "fenced" or "waited"; "" where it was not asked for."""
    captured: int = 0
    """Frames the kernel handed to the capture."""
    dropped: int = 0
    """Frames the kernel had to drop."""
    peer_address: str = ""
    server_address: str = ""
    names: tuple[str, str] = ("lab", "server")
    """What the two ends are called: "client" and "server" in a capture that the lab did not make."""
    ends: dict[str, tuple[str, str]] = field(default_factory=dict)
    """For each connection its two ends, address and port, where the addresses above do not say it."""
    isns: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    """For each connection, ours and the server's initial sequence number."""
    timeline: list[Packet | Call] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    capture: str = ""
    """Path of the capture file, "" where none was written."""
    moments: list[Moment] = field(default_factory=list)
    """One for each entry of the time line, in its order, where somebody asked for them (`Plan.watch`); else none."""
    judged: bool = True
    """False: a capture retold, of which nobody says whether the server conforms. Its verdict means nothing."""

    @property
    def packets(self) -> list[Packet]:
        """The frames alone, in order."""
        return [entry for entry in self.timeline if isinstance(entry, Packet)]


@dataclass(slots=True)
class Run:
    """All results of one `lab run`."""

    version: str
    testbed: str
    kernel: str
    """Release of the kernel under test where it is known, else ""."""
    seed: int
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    """What was left out, and why."""

    @property
    def summary(self) -> dict[Verdict, int]:
        """How many results of each verdict, best first, those of which there are none left out."""
        return {v: n for v in Verdict if (n := sum(r.verdict == v for r in self.results))}

    @property
    def exit_code(self) -> int:
        """0 no violation, 1 violation, 3 something could not be concluded, or nothing could be run.

        (2, wrong usage, is never a run's.) A run that is half inconclusive is no clean bill for a CI job.
        """
        verdicts = set(self.summary)
        if Verdict.VIOLATES in verdicts:
            return 1
        if Verdict.INCONCLUSIVE in verdicts:
            return 3
        concluded = verdicts & {Verdict.CONFORMS, Verdict.PERMITTED, Verdict.DEVIATES}
        return 0 if concluded else 3
