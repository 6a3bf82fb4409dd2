"""One pcapng per run of a scenario, in which each packet tells its part of the story as a comment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from lab.report.carried import carried
from lab.report.files import failures
from lab.report.text import flag_words
from lab.scenario.record import Call, Packet, Result
from lab.tcp.segment import ACK

_SENDERS = {
    "peer": "lab → server",
    "server": "server → lab",
    "kernel": "the lab's own kernel sent this, not the lab",
    "other": "somebody else sent this",
}
_CALLS = {"call": "the server's program: ", "wait": "", "check": "held: ", "note": ""}


def capture_path(out: Path, result: Result) -> Path:
    """Where the capture of a run goes: OUT/handshake/three_segments-ipv4.pcapng."""
    parts = [part for part in result.name.split("/") if part not in ("", ".", "..")] or ["scenario"]
    return out.joinpath(*parts[:-1], f"{parts[-1]}-{result.family}.pcapng")


def write_capture(result: Result, out: Path) -> None:
    """Write the run's capture below `out` and note its path in the result; one of that name is replaced at once.

    A run without a packet has none, and an older one of its name is removed. Raises CannotWrite; nothing half-written
    stays behind.
    """
    path = capture_path(out, result)
    if not result.packets:
        with failures(path, option="--out"):
            path.unlink(missing_ok=True)
        return
    write_capture_to(result, path, option="--out")
    result.capture = str(path)


def write_capture_to(result: Result, path: Path, *, option: str) -> None:
    """Write the run's capture to `path`, its folder made where it is missing. Raises CannotWrite."""
    from lab.wire.pcapng import PcapngWriter

    calls: dict[int, list[Call]] = defaultdict(list)
    packets = result.packets
    for entry in result.timeline:
        if isinstance(entry, Call):
            calls[entry.after_packet].append(entry)
    with failures(path, option=option):
        path.parent.mkdir(parents=True, exist_ok=True)
        inside = carried(result)
        with PcapngWriter(path) as writer:
            for i, packet in enumerate(packets):
                before = calls[0] if i == 0 else []
                carries = inside[packet.number].lines() if packet.number in inside else []
                comment = comment_of(packet, result, before=before, after=calls[packet.number], carries=carries)
                writer.write(packet.frame, packet.timestamp, comment, outgoing=packet.sender in ("peer", "kernel"))


def comment_of(
    packet: Packet, result: Result, *, before: list[Call], after: list[Call], carries: Sequence[str] = ()
) -> str:
    """What a packet says of itself: sender, relative numbers, both ends' states, rule, the check that failed, calls.

    `carries`: a line for each HTTP head or WebSocket frame in it, or piece of one, below its numbers.
    """
    lines = [_call("before", call) for call in before]
    who = _SENDERS[packet.sender]
    many = len(result.isns) > 1 and packet.connection
    lines.append(f"{who} (connection {packet.connection})" if many else who)
    segment = packet.segment
    if segment is None:
        lines.append(packet.summary)
    else:
        seq = str(packet.seq) if packet.seq is not None else f"{segment.seq} (absolute)"
        text = f"{flag_words(segment.flags)} seq {seq}"
        if ACK in segment.flags:
            text += f" ack {packet.ack}" if packet.ack is not None else f" ack {segment.ack} (absolute)"
        lines.append(text + (f" len {len(segment.payload)}" if segment.payload else ""))
    lines += carries
    if packet.note:
        lines.append(packet.note)
    states = [f"lab {packet.peer_state}" if packet.peer_state else ""]
    states.append(f"server {packet.server_state}" if packet.server_state else "")
    if any(states):
        lines.append("now: " + ", ".join(s for s in states if s))
    if packet.rule:
        lines.append(f"rule: {packet.rule}")
    failed = [p for i, p in enumerate(result.problems) if p.frame == packet.number or packet.problem == i]
    for problem in failed:
        text = f"CHECK FAILED: {problem.message}"
        if problem.expected or problem.observed:
            observed = problem.observed or "nothing"
            text += f" ({problem.field}: expected {problem.expected or 'nothing'}, observed {observed})"
        if problem.section:
            text += f" [{problem.section}]"
        if problem.file:
            text += f" {problem.file}:{problem.line}"
        lines.append(text)
    lines += [_call("then", call) for call in after]
    return "\n".join(line for line in lines if line)


def _call(when: str, call: Call) -> str:
    return f"{when}: {_CALLS[call.kind]}{call.text}"
