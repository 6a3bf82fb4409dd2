"""Long streams: what the model keeps of one does not grow with it, and a value stays what it was."""

from __future__ import annotations

import pytest

from lab.tcp.conversation import Conversation
from lab.tcp.driver import Driver
from lab.tcp.endpoint import Endpoint, Offer
from lab.tcp.evolve import evolve
from lab.tcp.octets import EMPTY, Octets
from lab.tcp.options import mss, pack, timestamps
from lab.tcp.profile import FRUGAL, LINUX, LINUX_EARLIER, MITIGATED, RFC9293
from lab.tcp.segment import ACK, PSH, SYN, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import State

X, Y = Seq(2**32 - 1), Seq(2**32 - 2)
PROFILES = (RFC9293, MITIGATED, LINUX, LINUX_EARLIER, FRUGAL)


def test_a_value_evolves_and_stays_what_it_was() -> None:
    before = Endpoint(iss=Seq(5))
    after = evolve(before, snd_wnd=7, state=State.ESTABLISHED)
    assert (after.iss, after.snd_wnd, after.state) == (5, 7, State.ESTABLISHED)
    assert (before.snd_wnd, before.state) == (0, State.CLOSED)
    assert after == Endpoint(iss=Seq(5), snd_wnd=7, state=State.ESTABLISHED)
    with pytest.raises(AttributeError):
        after.snd_wnd = 8  # type: ignore[misc]


def test_octets_that_grow_out_of_one_another_keep_their_own() -> None:
    one = Octets(b"abc")
    two, other = one + b"def", one + b"xyz!"
    same = one + b"de"
    assert (one, two, other, same) == (b"abc", b"abcdef", b"abcxyz!", b"abcde")
    assert (same + b"?", two) == (b"abcde?", b"abcdef")
    assert (len(two), two[1:3], two[4:99], two[3:1], bool(EMPTY)) == (6, b"bc", b"ef", b"", False)
    assert (two.without(4), two.without(0), two.without(6), two.without(7)) == (b"ef", b"abcdef", b"", b"")
    assert (two.without(4) + b"g", two) == (b"efg", b"abcdef")
    assert (EMPTY + b"a", EMPTY + b"b", EMPTY) == (b"a", b"b", b"")
    assert hash(one) == hash(Octets(b"abc"))


def test_octets_let_go_of_what_was_dropped() -> None:
    queue, dropped = EMPTY, 0
    for _ in range(1000):
        queue += b"x" * 1000
        queue = queue.without(max(0, len(queue) - 5000))
        dropped = max(dropped, len(queue._store))
    assert len(queue) == 5000
    assert dropped <= 65536 + 2 * 6000


def opened(*, told: bool, stamps: bool = False) -> Conversation:
    raw = pack([mss(1460), timestamps(1)]) if stamps else pack([mss(1460)])
    talk = Conversation(PROFILES, told=told)
    talk.server.listen()
    talk.peer_sends(Segment(SYN, X, options=raw), 0.0)
    assert talk.server_sends(Segment(SYN | ACK, Y, X + 1, 65535, options=raw), 0.0).finding is None
    talk.peer_sends(Segment(ACK, X + 1, Y + 1, options=pack([timestamps(1, 1)]) if stamps else b""), 0.0)
    return talk


def test_what_is_kept_of_a_stream_does_not_grow_with_it() -> None:
    """5,000 requests of 1,000 octets, each answered by as much: 5 MB each way, several times around no bound kept."""
    talk = opened(told=False)
    x, y, now = X + 1, Y + 1, 0.0
    for number in range(5000):
        now += 0.001
        data = bytes([65 + number % 26]) * 1000
        talk.peer_sends(Segment(ACK | PSH, x, y, 65535, data), now)
        x += 1000
        assert talk.server.settle(now) is None
        assert talk.server_sends(Segment(ACK | PSH, y, x, 65535, data), now).finding is None
        y += 1000
        talk.peer_sends(Segment(ACK, x, y, 65535), now)
    assert len(talk.server.worlds) == len(PROFILES)
    assert len(talk.peer.receive_buffer) == 0
    for world in talk.server.worlds:
        assert len(world.written) < 3 * 65536
        assert len(world.endpoint.send_buffer) == 0
        assert len(world.endpoint.receive_buffer) <= 1001
        assert len(world.sent_at) <= 1
        assert len(world.acks) <= 64
        assert len(world.overtaken) <= 64
        assert len(world.owed) <= 1


def test_text_that_is_forgotten_is_still_held_to_what_follows() -> None:
    """A repetition that begins long ago and goes on into what is kept is compared as far as that."""
    talk = opened(told=False)
    y, now = Y + 1, 0.0
    for _ in range(200):
        now += 1.0
        assert talk.server_sends(Segment(ACK, y, X + 1, 65535, b"a" * 1000), now).finding is None
        y += 1000
        talk.peer_sends(Segment(ACK, X + 1, y, 65535), now)
    assert talk.server_sends(Segment(ACK, y, X + 1, 65535, b"b" * 1000), now).finding is None
    joined = b"a" * 1000 + b"b" * 1000
    assert talk.server_sends(Segment(ACK, y - 1000, X + 1, 65535, joined), now + 1).note == "retransmission"
    wrong = b"a" * 1000 + b"b" * 999 + b"c"
    finding = talk.server_sends(Segment(ACK, y - 1000, X + 1, 65535, wrong), now + 2).finding
    assert finding is not None
    assert finding.field == "payload"


def test_a_megabyte_crosses_two_drivers_and_leaves_nothing_behind() -> None:
    ends = [Driver(Endpoint(iss=n, offer=Offer(1460, 7, True, True))) for n in (X, Y)]
    ends[1].listen()
    ends[0].open(0.0)
    text = bytes(range(256)) * 4096
    got, now = bytearray(), 0.0
    ends[0].send(text, now)
    for _ in range(20000):
        flying = [(1 - side, s) for side in (0, 1) for s in ends[side].segments()]
        for to, segment in flying:
            ends[to].arrives(segment, now)
        got += ends[1].receive()
        if len(got) == len(text):
            break
        now += 0.01
        for end in ends:
            end.tick(now)
    assert got == text
    assert now < 60  # by the clock that is passed in: no stall until some timer
