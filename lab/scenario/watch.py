"""A run watched for a reader: where its connections stood when each entry of the record was written, and by which line.

A run must not be kept waiting, since the server's timers would run meanwhile. So at an entry the model is copied and
nothing else is done: what was legal is worked out when the run is over. The server's kernel is asked nothing that it
would not have been asked anyway; its word belongs to the last entry before it, as all that had come was judged by then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.scenario.bench import Bench
from lab.scenario.connection import Connection
from lab.scenario.record import Call, Moment, Packet
from lab.scenario.standing import Word, objection_to, stood
from lab.tcp.conversation import Conversation
from lab.tcp.sequence import Seq

SOON = 0.5
"""Seconds after an entry in which the kernel's word is still about it: later its timers may have moved it on."""


@dataclass(slots=True)
class _Glance:
    """What is kept of one entry while the run goes on."""

    name: str
    conversation: Conversation
    iss: Seq
    now: float
    line: int
    word: Word


class Watch:
    """Watches a bench from now on."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._before = bench.on_entry
        bench.on_entry = self._note
        bench.on_compared = self._hear
        self._glances: list[_Glance] = []
        self._latest: dict[str, _Glance] = {}
        """For each connection its last entry,"""
        self._words: dict[str, Word] = {}
        """and the kernel's last word on it."""
        self._last = ""
        """The connection of the last entry that has one."""

    def moments(self) -> list[Moment]:
        """What was so at each entry, in the order of the record. For when the run is over: it takes its time."""
        return [
            Moment(stood(one.conversation, one.now, name=one.name, iss=one.iss, word=one.word), one.line)
            for one in self._glances
        ]

    def _note(self, entry: Packet | Call) -> None:
        """An entry of the record is written."""
        bench = self._bench
        known = {connection.name: connection for connection in bench.connections.values()}
        if entry.connection in known:
            self._last = entry.connection
        connection = known.get(self._last) or next(iter(known.values()))
        glance = _Glance(
            name=connection.name,
            conversation=connection.conversation.copy(),
            iss=connection.iss,
            now=bench.now(),
            line=bench.line(),
            word=self._word(connection.name, entry),
        )
        self._glances.append(glance)
        self._latest[connection.name] = glance
        if self._before is not None:
            self._before(entry)

    def _word(self, name: str, entry: Packet | Call) -> Word:
        """The kernel's last word on that connection, older than this entry unless that is but a remark on it."""
        if self._bench.testbed.agent is None:
            return Word()
        word = self._words.get(name, Word(earlier=True))
        if not (isinstance(entry, Call) and entry.kind in ("check", "note")):
            # What it objected to then need not be so any more: the entry may be just what it waited for.
            word = replace(word, objection="", earlier=True)
        self._words[name] = word
        return word

    def _hear(self, connection: Connection) -> None:
        """The kernel was asked, and all that had come until then is on record."""
        if connection.kernel_state is None:
            return
        now = self._bench.now()
        objection = objection_to(connection.conversation, connection.kernel_state, now)
        word = self._words[connection.name] = Word(connection.kernel_state, connection.kernel_info, objection)
        glance = self._latest.get(connection.name)
        if glance is not None and glance.word.earlier and now - glance.now < SOON:
            glance.word = word
