"""What was saved is a scenario: well formed, and it conforms over both families, with any seed, every time."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
from hand import FAMILIES, FINE, Hand, conforms, is_well_formed

from lab.explore.errors import CommandError
from lab.explore.view import typed
from lab.scenario.standing import standing
from lab.testbed.sandbox import Sandboxes

OPEN = ["syn", "ack", "server accept"]
SESSIONS = {
    "three_segments": ["syn", "ack"],
    "whole": [*OPEN, 'data "hello"', "server recv", 'server send "hi"', "ack", "fin", "server recv", "server close",
              "ack"],
    "server_first": [*OPEN, "server close", "ack", "fin"],
    "half_closed": [*OPEN, "fin", 'server send "more"', "ack", "server shutdown", "ack"],
    "half_closed_by_the_server": [*OPEN, "server shutdown", "ack", 'data "late"', "server recv", "fin", "server close"],
    "crossing": [*OPEN, "delay next", "fin", "server close", "ack"],
    "two_connections": ["syn", "ack", "new", "syn", "ack", "server accept", "server accept", 'data "b"', "server recv",
                        "switch A", 'data "a"', "server recv", "fin", "switch B", "rst"],
    "old_duplicate": ['replay TCP(flags="S", seq=x-10)', 'send TCP(flags="R", seq=x-9)', *OPEN],
    "old_duplicate_under_ours": ["syn", 'replay TCP(flags="S", seq=x-10)', "ack"],
    "lost": ["lose next", "syn", "repeat last", "lose next", "ack", "repeat last", "server accept"],
    "delayed": [*OPEN, "delay next", 'data "one"', 'data "two"', "server recv"],
    "delayed_and_filled_in": [*OPEN, "delay next", 'send TCP(flags="PA")/b"one"', 'send TCP(flags="PA")/b"two"'],
    "reset": [*OPEN, "rst", "server recv", "server close"],
    "aborted": [*OPEN, 'data "x"', "server abort"],
    "lives": [*OPEN, "rst", "syn", "ack", "server accept", 'data "x"', "server recv", "rst", "syn", "repeat 1"],
    "time_wait": [*OPEN, "server close", "ack", "fin", "syn", "ack", "server accept", 'data "x"', "server recv"],
    "reset_while_it_waits": ["syn", "ack", "rst", "new", "syn", "ack", "server accept", 'data "x"', "server recv"],
    "connect": ["server connect", "synack", 'server send "hi"', "ack", "server close", "ack", "fin"],
    "refused": ["server connect", "rst", "server recv"],
    "both_at_once": ["server connect", 'send TCP(flags="S", seq=x)', "synack", 'data "x"', "server recv"],
    "closed": ["new closed", "syn", 'send TCP(flags="A", ack=5)', 'send TCP(flags="")'],
    "elsewhere": ["server stop", "syn", "server listen", "new", "syn", "ack", "server accept"],
    "odd_octets": [*OPEN, 'data "h\\u00e9 \\"quoted\\" it\'s"', "server recv",
                   'data b"\\x00\\xff\\n\\\\"', "server recv"],
    "long": [*OPEN, 'data "0123456789" * 200', "server recv", 'server send "z" * 3000', "ack", 'data "x" * 80'],
    "own_numbers": ['send TCP(flags="S", seq=x+100)', "ack", 'send TCP(flags="PA", seq=snd_nxt, ack=rcv_nxt)/b"x"'],
    "figures": ['send TCP(flags="S", seq=1000)', "ack", 'send TCP(flags="A", ack=5)', "server accept"],
    "wrong_segments": [*OPEN, 'send TCP(flags="SF", seq=x+7)/b"!"', 'send TCP(flags="A", seq=snd_nxt+70000)',
                       'send TCP(flags="A", chksum=1)', 'send IP(ttl=9)/TCP(flags="A", window=0)'],
    "waits": ["syn", "wait 1.1", "ack", "wait 0.05"],
    "auto": ["auto on", "syn", "server accept", 'server send "hi"', "server close", "fin"],
    "auto_called": ["auto on", "server connect", 'server send "hi"', "server close"],
    "websocket": ["ws open", 'ws text "hello"', 'ws ping "p"', "ack", 'ws close 1000 "bye"', "fin"],
    "websocket_fragments": ["ws open", 'ws text "he" more', 'ws ping "between"', 'ws continuation "llo"', "ack"],
    "websocket_wrong": ["ws open", 'ws text "x" unmasked', "ack", "fin"],
    "websocket_delayed": ["ws open", "delay next", 'ws text "one"', 'ws text "two"', "ack"],
    "websocket_beside": ["syn", "ack", "ws open", 'ws binary b"\\x00\\xff"', "switch A", "server accept", 'data "x"'],
}  # fmt: skip
OVER_IPV4_ALONE = {"wrong_segments"}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_saved_session_conforms(sandboxes: Sandboxes, tmp_path: Path, name: str) -> None:
    saved = []
    for family in ["ipv4"] if name in OVER_IPV4_ALONE else FAMILIES:
        with Hand(sandboxes, tmp_path, family=family, seed=3) as hand:
            for line in SESSIONS[name]:
                hand.shell.do(line)
            assert hand.session.bench.problems == []
            assert "may go otherwise" not in hand.look(f"save {tmp_path / family}")
            assert hand.end().verdict in FINE
        saved.append(tmp_path / f"{family}.py")
        if name not in OVER_IPV4_ALONE:
            conforms(saved[-1], sandboxes)
    is_well_formed(*saved)


def test_a_saved_session_conforms_every_time(sandboxes: Sandboxes, hand: Hand, tmp_path: Path) -> None:
    for line in SESSIONS["whole"]:
        hand.do(line)
    conforms(hand.saved(tmp_path / "story.py"), sandboxes, times=3, seeds=(1, 2, 3))


def test_it_reads_like_the_stories(hand: Hand, tmp_path: Path) -> None:
    hand.do(*SESSIONS["whole"])
    assert hand.saved(tmp_path / "a story.py").read_text() == WHOLE


WHOLE = '''\
from scapy.layers.inet import TCP

from lab.scenario import Peer, Server, State, scenario


@scenario(
    "Played by hand: syn, ack, server accept, data, server recv, server send, ack, fin, server recv…",
    documents=[
        "RFC 9293 §3.10.7.2",
        "RFC 9293 §3.10.7.4",
        "RFC 9293 §3.10.2",
        "RFC 9293 §3.10.4",
    ],
)
def a_story(peer: Peer, server: Server) -> None:
    """Played with `lab explore`: what is expected is what was seen then."""
    listener = server.listen()
    x = peer.iss
    peer.send(TCP(flags="S", seq=x))
    y = peer.expect(TCP(flags="SA", ack=x + 1)).seq
    server.is_in(State.SYN_RECEIVED)
    peer.send(TCP(flags="A", seq=x + 1, ack=y + 1))
    peer.expect_silence()
    server.is_in(State.ESTABLISHED)
    connection = listener.accept(peer)
    peer.send(TCP(flags="PA", seq=x + 1, ack=y + 1) / b"hello")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 6))
    connection.receives(b"hello")
    connection.send(b"hi")
    peer.expect(TCP(flags="A", seq=y + 1, ack=x + 6) / b"hi")
    peer.send(TCP(flags="A", seq=x + 6, ack=y + 3))
    peer.expect_silence()
    peer.send(TCP(flags="FA", seq=x + 6, ack=y + 3))
    peer.expect(TCP(flags="A", seq=y + 3, ack=x + 7))
    server.is_in(State.CLOSE_WAIT)
    connection.receives_end()
    connection.close()
    peer.expect(TCP(flags="FA", seq=y + 3, ack=x + 7))
    server.is_in(State.LAST_ACK)
    peer.send(TCP(flags="A", seq=x + 7, ack=y + 4))
    peer.expect_silence()
    server.is_in(State.CLOSED)
'''


def test_numbers_of_the_run_are_in_no_file(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """Whatever is counted from a first number is written so: another seed writes the same file."""
    for name in ("whole", "two_connections", "lives", "old_duplicate_under_ours", "own_numbers", "delayed", "auto"):
        texts = set()
        for seed in (1, 2):
            with Hand(sandboxes, tmp_path, seed=seed) as hand:
                for line in SESSIONS[name]:
                    hand.shell.do(line)
                texts.add(hand.saved(tmp_path / "story.py").read_text())
        assert len(texts) == 1, name


def test_what_cannot_be_saved_is_said(hand: Hand, tmp_path: Path) -> None:
    hand.do("auto on", 'send TCP(flags="S", options=[("Timestamp", (5, 0))])')
    assert "timestamps echo the server's of this very run" in " ".join(hand.look(f"save {tmp_path / 'story'}").split())


def test_a_place_that_cannot_be_written(hand: Hand, tmp_path: Path) -> None:
    from lab.report.files import CannotWrite

    hand.do("syn")
    with pytest.raises(CannotWrite):
        hand.shell.do("save /proc/story.py")
    with pytest.raises(CannotWrite):
        hand.shell.do("pcap /proc/story")
    mine = tmp_path / "mine.py"
    mine.write_text("my own work", encoding="utf-8")
    assert "no session has saved" in hand.refused(f"save {mine}")
    assert mine.read_text(encoding="utf-8") == "my own work"
    hand.look(f"save {tmp_path / 'a b.py'}")
    assert f"lab run '{tmp_path}/a b.py'" in " ".join(hand.look(f"save {tmp_path / 'a b.py'}").split())
    (tmp_path / "folder.py").mkdir()
    assert "is a folder" in hand.refused(f"save {tmp_path / 'folder.py'}")
    assert "ESTABLISHED" in hand.look("states")


# Walks

MOVES = [*SESSIONS["whole"], "server connect", "synack", "rst", "lose next", "delay next", "repeat last", "new",
         "switch A", "switch B", "wait 0.02", "auto on", "auto off", "server abort", "server shutdown", "server stop",
         "server listen", "new closed", "ws open", 'ws text "hey"', "ws ping", "ws close 1000", "why", "legal",
         "diagram", "layers", "states", "ladder", "predict fin"]  # fmt: skip
WRONG = ['send TCP(flags="SF", seq=x+7)/b"!"', 'send TCP(flags="A", seq=snd_nxt+70000)', "repeat 3", "foo",
         'send TCP(flags="R", seq=snd_nxt+1)', 'send TCP(flags="A", ack=snd_nxt)', 'send TCP(flags="A", chksum=1)',
         'replay TCP(flags="S", seq=x-10)', 'send TCP(flags="")', 'send TCP(flags="FPA")/b"last"',
         'send TCP(flags="PA", seq=snd_nxt+5)/b"later"', 'send TCP(flags="S", seq=x+100)',
         'send TCP(flags="SA", ack=5)', 'send TCP(flags="A", seq=snd_nxt-1)', 'data "\\u00e9\\"\'"']  # fmt: skip


def walk(hand: Hand, seed: int) -> list[str]:
    """Twelve commands, half of them of those that are legal; what was typed."""
    chance = random.Random(seed)
    typed_so_far: list[str] = []
    for _ in range(12):
        if chance.random() < 0.5:
            where = standing(hand.session.bench, hand.session.hand.connection)
            lines = [typed(move, where) for move in where.legal]
        else:
            lines = MOVES if chance.random() < 0.6 else WRONG
        line = chance.choice(lines or MOVES)
        typed_so_far.append(line)
        with contextlib.suppress(CommandError):
            hand.shell.do(line)
        assert hand.session.bench.problems == [], (typed_so_far, hand.session.bench.problems[0])
    return typed_so_far


@pytest.mark.parametrize("seed", range(60))
def test_a_walk_blames_no_honest_kernel_and_can_be_played_again(
    sandboxes: Sandboxes, tmp_path: Path, seed: int
) -> None:
    with Hand(sandboxes, tmp_path, family=FAMILIES[seed % 2], seed=seed) as hand:
        lines = walk(hand, seed)
        path = tmp_path / "walk.py"
        with contextlib.suppress(CommandError):
            hand.look(f"save {path}")
        heard = any(packet.sender == "server" for packet in hand.session.result().packets)
        doubtful = bool(hand.session.scribe.doubts)
        result = hand.end()
        assert result.verdict in FINE or not heard, (lines, result.problems)
    if path.exists():
        is_well_formed(path)
    if path.exists() and heard and not doubtful:
        conforms(path, sandboxes, seeds=(seed, seed + 1000))
