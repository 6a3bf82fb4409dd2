"""Whether a segment carries the options that both SYNs agreed on, and in their form (RFC 9293 §3.2, RFC 7323)."""

from __future__ import annotations

from lab.tcp.options import Kind
from lab.tcp.segment import ACK, Segment
from lab.tcp.sequence import Seq
from lab.tcp.world import Finding, World


def check_options(world: World, segment: Segment) -> Finding | None:
    """Options of a segment that is no SYN: those that both SYNs carried, and none that belongs into a SYN."""
    mine, theirs = world.first_syn, world.peer_syn
    if mine is None or theirs is None:
        return None
    agreed = mine.timestamps is not None and theirs.timestamps is not None
    carries = segment.timestamps is not None
    if agreed and carries and (finding := _check_stamps(world, segment)) is not None:
        return finding
    if segment.option(Kind.MSS) is not None:
        return Finding(
            "options", "no MSS", "MSS", "the server announces a segment size outside a SYN", "RFC 9293 §3.7.1"
        )
    if agreed != carries:
        return Finding(
            "options",
            "timestamps" if agreed else "no timestamps",
            "timestamps" if carries else "no timestamps",
            "timestamps are on every segment once both SYNs carried them, and on none otherwise",
            "RFC 7323 §3.2",
        )
    if segment.option(Kind.SACK) is not None and not (mine.sack_permitted and theirs.sack_permitted):
        return Finding("options", "no SACK blocks", "SACK blocks", "SACK was not permitted in both SYNs", "RFC 2018 §2")
    return None


def _check_stamps(world: World, segment: Segment) -> Finding | None:
    """Timestamps echo one of ours, and do not go back (RFC 7323 §3.2, §4.1)."""
    assert segment.timestamps is not None
    value, echo = segment.timestamps
    if ACK in segment.flags and world.stamps and echo not in world.stamps:
        return Finding(
            "options",
            f"TSecr {max(world.stamps)}" if len(world.stamps) == 1 else "a TSecr that the lab has sent as TSval",
            f"TSecr {echo}",
            "the server echoes a timestamp that the lab has not sent",
            "RFC 7323 §3.2",
        )
    last = world.last_stamp
    if last is not None and Seq(value).ahead_of(Seq(last)) < 0:
        return Finding(
            "options",
            f"TSval {last} or later",
            f"TSval {value}",
            "the server's timestamp clock goes back",
            "RFC 7323 §4.1",
        )
    return None


def _check_form(segment: Segment) -> Finding | None:
    """Each option of a SYN once, and of its proper length (RFC 9293 §3.2, MUST-68; RFC 7323 §2.3)."""
    lengths = {Kind.MSS: 2, Kind.WINDOW_SCALE: 1, Kind.SACK_PERMITTED: 0, Kind.TIMESTAMPS: 8}
    seen: list[int] = []
    for option in segment.parsed_options:
        wanted = lengths.get(Kind(option.kind)) if option.kind in set(Kind) else None
        if not option.sound or (wanted is not None and len(option.data) != wanted):
            told = f"{len(option.data)} octets of data" if option.sound else "an impossible length"
            expected = "a length that fits the header" if wanted is None else f"{wanted} octets of data"
            message = f"option {option.kind} of the server's SYN is malformed"
            return Finding("options", expected, told, message, "RFC 9293 §3.2")
        if option.kind in seen and wanted is not None:
            return Finding(
                "options",
                "once",
                "twice",
                f"option {option.kind} stands twice in the server's SYN",
                "RFC 9293 §3.2",
            )
        seen.append(option.kind)
    if segment.window_scale is not None and segment.window_scale > 14:
        return Finding(
            "options",
            "a shift of 14 at most",
            str(segment.window_scale),
            "the server's window scale is too large",
            "RFC 7323 §2.3",
        )
    return None


def check_syn_options(world: World, segment: Segment) -> Finding | None:
    """Options of a SYN+ACK: given back only when offered.

    Where SYNs cross, the server has made its own offer already (RFC 7323 §2.2, §3.2).
    """
    if (finding := _check_form(segment)) is not None:
        return finding
    theirs = world.peer_syn
    if theirs is not None and theirs.timestamps and segment.timestamps and ACK in segment.flags:
        finding = _check_stamps(world, segment)
        if finding is not None:
            return finding
    crossing = world.first_syn is not None and ACK not in world.first_syn.flags
    if ACK not in segment.flags or theirs is None or crossing:
        return None
    for name, has, offered, section in (
        ("window scale", segment.window_scale is not None, theirs.window_scale is not None, "RFC 7323 §2.2"),
        ("timestamps", segment.timestamps is not None, theirs.timestamps is not None, "RFC 7323 §3.2"),
        ("SACK permitted", segment.sack_permitted, theirs.sack_permitted, "RFC 2018 §2"),
    ):
        if has and not offered:
            return Finding(
                "options",
                f"no {name}",
                name,
                f"the server's SYN+ACK carries {name}, which was not offered",
                section,
            )
    return None
