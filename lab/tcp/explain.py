"""Is this segment of the server explained? Every rule that one segment can break, each with its section."""

from __future__ import annotations

from dataclasses import replace

from lab.tcp.agreed import check_options, check_syn_options
from lab.tcp.endpoint import Reply
from lab.tcp.evolve import evolve
from lab.tcp.octets import Octets
from lab.tcp.segment import ACK, FIN, PSH, RST, SYN, Flags, Segment, letters
from lab.tcp.sequence import Seq
from lab.tcp.state import SYNCHRONIZED, State
from lab.tcp.world import KEEP_ALIVE, PROBE, RETRANSMISSION, Finding, Owed, Past, World

TOO_SOON = 0.0008
"""Seconds. No retransmission timer is shorter: RFC 6298 §2.4 asks for 1 s, Linux's tail loss probe takes two ticks."""

NOTICEABLE = 0.002
"""Seconds from which on an ACK that may be delayed is called so: two ticks of a kernel's clock at the most."""

CROSSING = 0.5
"""Seconds for which two segments may cross on a link where sending and handling are not one.

Also on a link where they are: a timer's ACK and a program's FIN may leave by two processors, in either order.
"""


class Explainer:
    """Explains segments, or says why it cannot: a word for the ladder, or a Finding."""

    def __init__(self, *, exact: bool, told: bool = True) -> None:
        """`exact`: on this link a segment has been handled when sending it returns, so nothing can cross.

        Not `told`: nobody says which calls the server's program makes, so they are inferred from what it sends:
        it may write, close or abort at any time, and only its numbers can be wrong.
        """
        self.exact = exact
        self.told = told
        # What reaches a kernel while a program of its own is inside a call is handled when that returns: the segment
        # that the call sends does not know of it, on an exact link either.
        self.may_cross = not exact or not told
        self.keep_alive = not told
        """Whether the program may have switched on keep-alive probes: they are off unless it has (MUST-25)."""

    def explain(self, world: World, segment: Segment, now: float) -> str | Finding:
        """A word for the ladder, mostly none, where this world explains it; what it fulfils is no longer owed there."""
        if RST in segment.flags:
            return self._explain_reset(world, segment)
        if SYN in segment.flags:
            return self._explain_syn(world, segment, now)
        if self._overtaken(world, segment, now):
            return "overtaken"
        owed_syn = next((o.reply for o in world.owed if SYN in o.reply.segment.flags and not o.reply.optional), None)
        if ACK not in segment.flags or owed_syn:
            wanted = owed_syn.segment if owed_syn else replace(segment, flags=segment.flags | ACK)
            return self._differs(
                world,
                "flags",
                letters(wanted.flags),
                letters(segment.flags),
                "the server's segment has the wrong flags",
                "RFC 9293 §3.5" if owed_syn else "RFC 9293 §3.1",
                wanted,
            )
        return (
            self._check_liveness(world, segment)
            or self._check_ack(world, segment, now)
            or check_options(world, segment)
            or self._check_window(world, segment, now)
            or self._explain_text(world, segment, now)
        )

    def _explain_reset(self, world: World, segment: Segment) -> str | Finding:
        owed = [o for o in world.owed if RST in o.reply.segment.flags]
        complaints: list[Finding] = []
        for one in owed:
            complaint = self._compare(world, one.reply, segment)
            if complaint is None:
                world.owed = tuple(o for o in world.owed if o is not one)
                return ""
            complaints.append(complaint)
        if complaints:
            return complaints[0]
        end = world.endpoint
        if not self.told and world.first_syn is not None and segment.seq.within(end.snd_una, end.unacked + 1):
            return "the program aborts"
        wanted = next((o.reply for o in world.owed), None)
        if world.finished and world.endpoint.fin_seq is None:
            return Finding(
                "flags",
                "FA",
                letters(segment.flags),
                "the server resets where its program has closed: a FIN is due",
                "RFC 9293 §3.10.4",
            )
        return Finding(
            "flags" if wanted else "silence",
            letters(wanted.segment.flags) if wanted else "no segment",
            letters(segment.flags),
            f"the server resets the connection without a reason ({world.why or 'nothing was sent to it'})",
            "RFC 9293 §3.5.2",
            wanted.segment if wanted else None,
        )

    def _explain_syn(self, world: World, segment: Segment, now: float) -> str | Finding:
        for one in world.owed:
            if SYN in one.reply.segment.flags:
                free = one.reply.free | ({"ack"} if self._keeps_text(world, segment) else set())
                reply = replace(one.reply, free=frozenset(free))
                complaint = self._compare(world, reply, segment) or check_syn_options(world, segment)
                if complaint is None:
                    world.owed = tuple(o for o in world.owed if o is not one)
                    repeated = world.first_syn is not None and world.first_syn.flags == segment.flags
                    return RETRANSMISSION if repeated else ""
                return complaint
        first = world.first_syn
        if first is None or world.endpoint.state not in (State.SYN_SENT, State.SYN_RECEIVED):
            wanted = next((o.reply for o in world.owed), None)
            return Finding(
                "flags",
                letters(wanted.segment.flags) if wanted else "no SYN",
                letters(segment.flags),
                f"the server sends a SYN in {world.endpoint.state}",
                "RFC 9293 §3.5",
                wanted.segment if wanted else None,
            )
        # Where SYNs crossed, what is repeated from then on is the SYN+ACK (RFC 9293 §3.5 figure 7).
        answers = world.endpoint.state is State.SYN_RECEIVED
        again = Reply(
            replace(first, flags=SYN | ACK if answers else SYN, ack=world.endpoint.rcv_nxt if answers else first.ack),
            due=0.0,
            rule="RFC 9293 §3.10.8",
            free=frozenset({"options", "window"}),
            optional=True,
        )
        return self._compare(world, again, segment) or self._too_soon(world, 0, now) or RETRANSMISSION

    @staticmethod
    def _keeps_text(world: World, segment: Segment) -> bool:
        """A SYN+ACK that covers the text of our SYN: it was kept, and counts from now on (RFC 9293 §3.5)."""
        syn, end = world.peer_syn, world.endpoint
        if syn is None or not syn.payload or segment.ack != syn.end or world.first_syn is not None:
            return False
        world.endpoint = evolve(end, rcv_nxt=segment.ack, receive_buffer=Octets(syn.payload), held=())
        world.choices = tuple(dict.fromkeys((*world.choices, "syn-text-acknowledged")))
        return True

    def _check_liveness(self, world: World, segment: Segment) -> Finding | None:
        if world.endpoint.state in (State.CLOSED, State.LISTEN, State.SYN_SENT) and world.owed == ():
            return Finding(
                "flags",
                "nothing, or a RST",
                letters(segment.flags),
                f"the server speaks on a connection that is {world.endpoint.state}",
                "RFC 9293 §3.10.7.1",
            )
        return None

    def _check_ack(self, world: World, segment: Segment, now: float) -> Finding | None:
        expected = world.endpoint.rcv_nxt
        if segment.ack == expected or any(
            ACK in o.reply.segment.flags and o.reply.segment.ack == segment.ack for o in world.owed
        ):
            return None
        if FIN in segment.flags and self._leaves_before_text_is_read(world, segment):
            return None
        if self._crossed(world, segment, now):
            return None
        return self._wrong_ack(world, segment)

    def _crossed(self, world: World, segment: Segment, now: float) -> Past | None:
        """What the server had said when this left, where it crossed on its way what made the server take more."""
        if not self.may_cross or segment.ack == world.endpoint.rcv_nxt:
            return None
        return next((past for past in world.acks if past.rcv_nxt == segment.ack and now - past.until < CROSSING), None)

    @staticmethod
    def _leaves_before_text_is_read(world: World, segment: Segment) -> bool:
        """Whether it is a FIN that waited for the ACK of the SYN: it leaves when that is looked at, and what the same
        segment brings besides is acknowledged behind it (choice "shutdown-waits-for-ack-of-syn").
        """
        end = world.endpoint
        waited = "shutdown-waits-for-ack-of-syn" in world.choices and end.fin_seq is None
        return waited and end.irs is not None and segment.ack == end.irs + 1 and world.offset(segment.seq) == 1

    def _wrong_ack(self, world: World, segment: Segment) -> Finding:
        expected = world.endpoint.rcv_nxt
        off = segment.ack.ahead_of(expected)
        message = f"the server's acknowledgement number is {abs(off)} too {'high' if off > 0 else 'low'}"
        if world.endpoint.fin_received and off == -1:
            message = "the server's ACK does not cover our FIN, which uses one number"
        elif world.endpoint.fin_received and off == 1:
            message = "the server's ACK counts our FIN twice: it uses one number"
        return self._differs(
            world,
            "ack",
            expected,
            segment.ack,
            message,
            "RFC 9293 §3.4",
            replace(segment, ack=expected),
        )

    def _check_window(self, world: World, segment: Segment, now: float) -> Finding | None:
        """The right edge never moves left (RFC 9293 §3.8.6, SHLD-14), but for the rounding of the scale."""
        if world.endpoint.state is State.TIME_WAIT:
            # Nothing can come that would need room. Linux writes the low 16 bits of a window that outgrew the field.
            return None
        scale = world.offered_scale
        edge = segment.ack + (segment.window << scale)
        past = self._crossed(world, segment, now)
        offered = past.edge if past else world.edge
        if offered is None or edge.ahead_of(offered) >= -((1 << scale) - 1):
            if world.scales_alone:
                world.choices = tuple(dict.fromkeys((*world.choices, "crossing-syns-scale")))
            return None
        return Finding(
            "window",
            f"at least {max(0, offered.ahead_of(segment.ack)) >> scale}",
            str(segment.window),
            f"the server takes back {offered.ahead_of(edge)} octets of window that it had offered",
            "RFC 9293 §3.8.6",
        )

    def _explain_text(self, world: World, segment: Segment, now: float) -> str | Finding:
        at = world.offset(segment.seq)
        if at is None or world.first_syn is None:
            return Finding(
                "flags", "a SYN first", letters(segment.flags), "the server sends before its SYN", "RFC 9293 §3.4"
            )
        if not segment.length:
            return self._explain_bare_ack(world, segment, at, now)
        if self._is_garbage_probe(world, segment, at):
            self._acknowledged(world, segment.ack, now)
            return KEEP_ALIVE
        if not self.told:
            self._infer_calls(world, segment, at, now)
        text_end = world.written_end
        end = at + len(segment.payload)
        if segment.payload:
            if at > world.high:
                return self._gap(world, segment, at - world.high)
            if end > text_end or at < 1:
                behind = world.finished and at > text_end
                return Finding(
                    "payload",
                    f"{max(0, text_end - at)} octets at most",
                    f"{len(segment.payload)} octets",
                    "the server sends data behind its FIN"
                    if behind
                    else "the server sends more data than its program has written",
                    "RFC 9293 §3.6" if behind else "RFC 9293 §3.10.2",
                )
            if world.differs_from_written(at, segment.payload):
                wanted = world.written[max(0, at - 1 - world.forgotten) : max(0, end - 1 - world.forgotten)]
                return Finding(
                    "payload",
                    repr(wanted[:60]),
                    repr(segment.payload[:60]),
                    f"the server's data are not what its program wrote at this place (offset {at - 1})",
                    "RFC 9293 §3.4",
                )
        if FIN in segment.flags and not (world.finished and end == text_end):
            why = "before its data" if world.finished else "though its program has not closed"
            return (
                self._differs(
                    world,
                    "seq" if world.finished else "flags",
                    world.endpoint.iss + text_end if world.endpoint.iss is not None else "?",
                    segment.seq + len(segment.payload),
                    f"the server says FIN {why}",
                    "RFC 9293 §3.10.4",
                    replace(segment, flags=segment.flags & ~FIN),
                )
                if world.finished
                else Finding(
                    "flags",
                    letters(segment.flags & ~FIN),
                    letters(segment.flags),
                    f"the server says FIN {why}",
                    "RFC 9293 §3.10.4",
                )
            )
        note = self._explain_repeat(world, segment, at, end + (FIN in segment.flags), now)
        if isinstance(note, Finding):
            return note
        edge = world.peer_edge
        over = segment.end.ahead_of(edge) if edge is not None else 0
        if over > (1 if FIN in segment.flags else 0) and len(segment.payload) > 1:
            return Finding(
                "window",
                f"{len(segment.payload) - over} octets at most",
                f"{len(segment.payload)} octets",
                "the server sends more than the window it was offered",
                "RFC 9293 §3.8.6",
            )
        self._acknowledged(world, segment.ack, now)
        return note

    @staticmethod
    def _infer_calls(world: World, segment: Segment, at: int, now: float) -> None:
        """The program was not told what to do: text that follows on was written, a FIN behind it was a CLOSE."""
        text_end = world.written_end
        end = at + len(segment.payload)
        if world.finished or not 1 <= at <= text_end <= end:
            return
        new = segment.payload[text_end - at :]
        if new:
            world.written += new
            world.endpoint = world.endpoint.send(new, now).endpoint
        if FIN in segment.flags:
            world.finished = True
            world.endpoint = world.endpoint.shutdown(now).endpoint

    def _gap(self, world: World, segment: Segment, octets: int) -> Finding:
        return self._differs(
            world,
            "seq",
            world.endpoint.snd_nxt,
            segment.seq,
            f"the server leaves out {octets} sequence numbers",
            "RFC 9293 §3.4",
            replace(segment, seq=world.endpoint.snd_nxt),
        )

    def _explain_repeat(self, world: World, segment: Segment, at: int, end: int, now: float) -> str | Finding:
        """New text must begin where the last ended; text seen before may come again, but not for no reason."""
        if at > world.high:
            return self._gap(world, segment, at - world.high)
        if at == world.high:
            return PROBE if self._probes_window(world, segment) else ""
        una = world.offset(world.endpoint.snd_una)
        if una is not None and end <= una and self.exact:
            return self._differs(
                world,
                "seq",
                world.endpoint.snd_nxt,
                segment.seq,
                "the server repeats what has been acknowledged",
                "RFC 9293 §3.4",
                None,
            )
        probes = at == world.high - 1 and self._probes_window(world, segment)
        return self._too_soon(world, at, now) or (PROBE if probes else RETRANSMISSION)

    @staticmethod
    def _probes_window(world: World, segment: Segment) -> bool:
        """Whether it is one octet for which the lab's window has no room (RFC 9293 §3.8.6.1)."""
        end = world.endpoint
        return len(segment.payload) == 1 and segment.end.ahead_of(end.snd_una + end.snd_wnd) > 0

    def _is_garbage_probe(self, world: World, segment: Segment, at: int) -> bool:
        """Whether it is a keep-alive probe with one octet of garbage, where the last acknowledged one was."""
        end = world.endpoint
        return (
            self.keep_alive
            and end.state in SYNCHRONIZED
            and len(segment.payload) == 1
            and FIN not in segment.flags
            and at == world.high - 1
            and end.snd_una == end.snd_nxt
        )

    def _probe(self, world: World) -> str | None:
        """What an empty segment just below SND.UNA is for: a probe as Linux makes it, which wants an answer."""
        end = world.endpoint
        if end.state not in SYNCHRONIZED:
            return None
        waits = not self.told or world.written_end > world.high or (world.finished and end.fin_seq is None)
        if waits and world.room <= 0:
            return PROBE
        return KEEP_ALIVE if self.keep_alive and end.snd_una == end.snd_nxt else None

    def _too_soon(self, world: World, at: int, now: float) -> Finding | None:
        last = max(((t, asked) for s, e, t, asked in world.sent_at if s <= at < e), default=None)
        if last is None or now - last[0] >= TOO_SOON or world.asked > last[1]:
            return None
        return Finding(
            "silence",
            "no repetition before the retransmission timeout",
            f"the same again after {1000 * (now - last[0]):.2f} ms",
            "the server repeats a segment at once",
            "RFC 9293 §3.8.1",
        )

    def _explain_bare_ack(self, world: World, segment: Segment, at: int, now: float) -> str | Finding:
        endpoint = world.endpoint
        una, high = world.offset(endpoint.snd_una) or 0, world.offset(endpoint.snd_nxt) or 1
        if at == una - 1 >= 0 and (probe := self._probe(world)) is not None:
            self._acknowledged(world, segment.ack, now)
            return probe
        if not min(una, high) <= at <= high:
            return self._differs(
                world,
                "seq",
                endpoint.snd_nxt,
                segment.seq,
                "the server's ACK does not carry its next sequence number",
                "RFC 9293 §3.4",
                replace(segment, seq=endpoint.snd_nxt),
            )
        first = next(
            (o for o in world.owed if self._is_ack(o) and segment.ack.ahead_of(o.reply.segment.ack) >= 0), None
        )
        if first is not None:
            alike = [o for o in world.owed if self._is_ack(o) and o.reply.segment.ack == segment.ack]
            exact = next((o for o in alike if not o.reply.due), alike[0] if alike else first)
            if first.reply.due and now > first.until:
                return Finding(
                    "silence",
                    f"the ACK within {first.reply.due:g} s",
                    f"after {now - first.since:.3f} s",
                    "the server's ACK comes too late",
                    first.reply.rule,
                )
            if self.may_cross:
                # A timer sends the delayed ACK, maybe on another processor: it may leave behind the one that covers it.
                world.note_overtaken([o for o in world.owed if self._is_ack(o) and self._covers(segment, o)], now)
            # One ACK may answer several segments (RFC 9293 §3.8.6.3), but a duplicate ACK answers only one: that, and
            # all that waited to be acknowledged with the same number.
            world.owed = tuple(
                o
                for o in world.owed
                if o is not exact
                and not (self._is_ack(o) and self._covers(segment, o))
                and not (o.reply.due and o in alike)
            )
            world.note_overtaken([o for o in alike if o.reply.due and o is not exact], now)
            return "delayed ACK" if exact.reply.due and now - exact.since >= NOTICEABLE else ""
        scale = world.offered_scale
        edge = segment.ack + (segment.window << scale)
        if world.edge is not None and edge.ahead_of(world.edge) > 0:
            return "window update"
        if not self.told and world.takes_wide_update(segment):
            return "window update"
        if segment.ack != endpoint.rcv_nxt:
            return self._wrong_ack(world, segment)
        return Finding(
            "silence",
            "no segment",
            letters(segment.flags),
            "the server sends an ACK that nothing asked for: an ACK is not acknowledged",
            "RFC 9293 §3.4",
        )

    @staticmethod
    def _is_ack(owed: Owed) -> bool:
        return not owed.reply.segment.flags & (SYN | RST)

    @staticmethod
    def _covers(segment: Segment, owed: Owed) -> bool:
        """Whether it acknowledges more than what is owed."""
        return segment.ack.ahead_of(owed.reply.segment.ack) > 0

    def _acknowledged(self, world: World, ack: Seq, now: float) -> None:
        """A segment that carries more than an ACK has answered for those that were owed."""
        done = [self._is_ack(o) and ack.ahead_of(o.reply.segment.ack) >= 0 for o in world.owed]
        answered = [o for o, is_done in zip(world.owed, done, strict=True) if is_done]
        world.note_overtaken(answered, now, may_cross=self.may_cross)
        world.owed = tuple(o for o, is_done in zip(world.owed, done, strict=True) if not is_done)

    def _overtaken(self, world: World, segment: Segment, now: float) -> bool:
        """A delayed ACK that left before what answered for it, and arrives behind."""
        if segment.length or any(o.reply.segment.ack == segment.ack for o in world.owed if self._is_ack(o)):
            return False
        late = next((one for one in world.overtaken if one[0] == segment.ack and now - one[1] < CROSSING), None)
        if late is None:
            return False
        world.overtaken = tuple(one for one in world.overtaken if one is not late)
        return True

    # Telling differences

    def _compare(self, world: World, reply: Reply, segment: Segment) -> Finding | None:
        wanted, free = reply.segment, reply.free
        ignored = PSH | self._ecn_setup(world, segment)
        want: Seq | str
        got: Seq | str
        if (wanted.flags & ~ignored) != (segment.flags & ~ignored):
            field_, want, got = "flags", letters(wanted.flags), letters(segment.flags)
        elif "seq" not in free and wanted.seq != segment.seq:
            field_, want, got = "seq", wanted.seq, segment.seq
        elif "ack" not in free and ACK in wanted.flags & segment.flags and wanted.ack != segment.ack:
            field_, want, got = "ack", wanted.ack, segment.ack
        elif segment.payload and not wanted.payload and SYN in segment.flags:
            field_, want, got = "payload", "none", f"{len(segment.payload)} octets"
        else:
            return None
        kind = {SYN | ACK: "SYN+ACK", SYN: "SYN", RST: "RST", RST | ACK: "RST"}.get(wanted.flags & ~PSH, "segment")
        return self._differs(
            world, field_, want, got, f"the server's {kind} has the wrong {field_}", reply.rule, wanted
        )

    @staticmethod
    def _ecn_setup(world: World, segment: Segment) -> Flags:
        """The flags by which a SYN offers ECN, and a SYN+ACK takes up the offer (RFC 3168 §6.1.1)."""
        if SYN not in segment.flags:
            return Flags(0)
        if ACK not in segment.flags:
            return Flags.ECE | Flags.CWR
        offered = world.peer_syn is not None and Flags.ECE | Flags.CWR in world.peer_syn.flags
        return Flags.ECE if offered else Flags(0)

    def _differs(
        self,
        world: World,
        name: str,
        expected: Seq | str,
        observed: Seq | str,
        message: str,
        section: str,
        wanted: Segment | None,
    ) -> Finding:
        if isinstance(expected, Seq) and isinstance(observed, Seq):
            base = world.endpoint.irs if name == "ack" else world.endpoint.iss
            return Finding(
                name,
                _number(expected, base),
                _number(observed, base),
                message,
                section,
                wanted,
            )
        return Finding(name, str(expected), str(observed), message, section, wanted)


def _number(value: Seq, base: Seq | None) -> str:
    return str(value) if base is None else f"{value.ahead_of(base)} (absolute {value})"
