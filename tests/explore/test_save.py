"""What was saved is a scenario: well formed, and it conforms over both families, with any seed, every time."""

from __future__ import annotations

import ast
import contextlib
import os
import random
from pathlib import Path

import pytest
from hand import FAMILIES, FINE, Hand, conforms, is_well_formed, played

from lab.explore.errors import CommandError
from lab.explore.script.layout import laid_out
from lab.explore.view import typed
from lab.scenario.record import Verdict
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
    "one_segment_or_two": [*OPEN, 'server send "y" * 1000', "ack", 'server send "y" * 1000', "server close", "ack"],
    "waits": ["syn", "wait 1.1", "ack", "wait 0.05"],
    "auto": ["auto on", "syn", "server accept", 'server send "hi"', "server close", "fin"],
    "auto_called": ["auto on", "server connect", 'server send "hi"', "server close"],
    "websocket": ["ws open", 'ws text "hello"', 'ws ping "p"', "ack", 'ws close 1000 "bye"', "fin"],
    "websocket_fragments": ["ws open", 'ws text "he" more', 'ws ping "between"', 'ws continuation "llo"', "ack"],
    "websocket_wrong": ["ws open", 'ws text "x" unmasked', "ack", "fin"],
    "websocket_delayed": ["ws open", "delay next", 'ws text "one"', 'ws text "two"', "ack"],
    "websocket_not_found": ["ws open /nope", "ack", "fin"],
    "websocket_that_sends_json": ["ws open /score", "ack"],
    "websocket_says_much_of_one": ["ws open", 'ws text "y" * 200', 'ws text "z" * 200 more'],
    "websocket_beside_auto": ["ws open", "new", "auto on"],
    "websocket_elsewhere": ["new ws", "new", "ws open /map"],
    "websocket_and_back": ["ws open /map", "ack", "new", "ws open", 'ws binary b"\\x00\\xff"', "new ws", "ws open"],
    "websocket_numbered_behind_the_request": ["ws open", 'send TCP(flags="R", seq=x+163, window=65406)', "syn", "rst",
                                              "syn"],
    "counted_from_nothing": ["syn", "rst", 'send TCP(flags="A", ack=rcv_nxt+64240)',
                             "delay next", 'send TCP(flags="A", ack=rcv_nxt+70000)', 'send TCP(flags="A", ack=9)'],
    "counted_from_0": ["server connect", "ack", 'send TCP(flags="S", seq=0)', "ack"],
    "from_the_oldest": ["syn", "ack", 'send TCP(flags="A", seq=snd_una+1)'],
    "options": ["syn", 'send TCP(flags="A", seq=x+1, options=[("TFO", None), ("NOP", ()), (30, None), ("MSS", [5])])',
                'send TCP(flags="A", seq=x+1, options=[("MD5", "a" * 4), ("UTO", "ab"), ("SAck", [])])'],
    "many_fields": ["syn", "ack", 'send TCP(flags="PA", seq=snd_nxt, ack=rcv_nxt, window=8192, '
                    'options=[("NOP", None), ("MSS", 1400), ("WScale", 7)])'],
    "called_beside_a_service": ["new ws", "server connect", "synack", 'server send "hi"', "ack", "switch B", "ws open"],
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


def test_what_depends_on_the_segment_size_is_played_over_that_family(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """Ten segments come before an ACK (RFC 6928), of 536 octets over IPv4 and of 1220 over IPv6."""
    for family, first in (("ipv4", 5360), ("ipv6", 12200)):
        with Hand(sandboxes, tmp_path, family=family) as hand:
            hand.do(*OPEN, 'server send "w" * 20000')
            shown = " ".join(hand.look(f"save {tmp_path / family}").split())
            assert f"lab run {tmp_path / family}.py --{family}` plays it again" in shown
        path = tmp_path / f"{family}.py"
        assert f'expect_data(b"w" * {first})' in path.read_text()
        assert f"`lab run` it with --{family}: segments and windows have the sizes of" in path.read_text()
        conforms(path, sandboxes, families=[family])
        is_well_formed(path)
    with Hand(sandboxes, tmp_path, family="ipv6") as hand:
        hand.do(*OPEN, 'server send "w" * 7000')
        assert "--ipv6` plays it again" in " ".join(hand.look(f"save {tmp_path / 'more_than_over_the_other'}").split())
    with Hand(sandboxes, tmp_path) as hand:
        hand.do(*OPEN, 'server send "w" * 5000', "ack", 'send TCP(flags="A", window=0)', 'server send "hi"')
        assert f"lab run {tmp_path / 'either'}.py` plays" in " ".join(hand.look(f"save {tmp_path / 'either'}").split())
    conforms(tmp_path / "either.py", sandboxes)


def test_a_count_is_no_sequence_number(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """What the window is, or a port, was the number that went out: it stands in figures, as the server's echo does."""
    with Hand(sandboxes, tmp_path) as hand:
        hand.do("syn", "rst", 'send TCP(flags="A", ack=dport)', 'send TCP(flags="A", ack=mss+7)')
        port = hand.session.hand.connection.server_port
        text = hand.saved(tmp_path / "story.py").read_text()
    assert f'peer.send(TCP(flags="A", ack={port}))\n    peer.expect(TCP(flags="R", seq={port}))' in text
    assert 'peer.send(TCP(flags="A", ack=543))\n    peer.expect(TCP(flags="R", seq=543))' in text
    conforms(tmp_path / "story.py", sandboxes)


def test_a_number_in_figures_is_as_far_from_our_first_one_in_each_run(
    sandboxes: Sandboxes, hand: Hand, tmp_path: Path
) -> None:
    """0 lies far from it; where that is the last number of the circle, the window would begin at 0."""
    hand.do("syn", "ack", 'send TCP(flags="PA", seq=0)/b"far"', "ack")
    x = int(hand.session.hand.connection.peer_isn)
    path = hand.saved(tmp_path / "story.py")
    assert f"    x = peer.anew(Seq({x:_}))\n" in path.read_text()
    assert 'peer.send(TCP(flags="PA", seq=0) / b"far")\n    peer.expect(TCP(flags="A"' in path.read_text()
    for wrap in (False, True):
        assert played(path, sandboxes, wrap=wrap).verdict is Verdict.CONFORMS
    is_well_formed(path)
    free = tmp_path / "free.py"
    free.write_text(path.read_text().replace(f"peer.anew(Seq({x:_}))", "peer.iss"))
    assert played(free, sandboxes, wrap=True).verdict is Verdict.VIOLATES


def test_the_date_of_an_answer_is_not_expected_and_all_else_is(
    sandboxes: Sandboxes, hand: Hand, tmp_path: Path
) -> None:
    hand.do("ws open /nope")
    text = hand.saved(tmp_path / "story.py").read_text()
    assert '        b"HTTP/1.1 404 Not Found\\r\\nDate: ",\n        29,\n        b"\\r\\nConnection' in text
    for i, (said, other) in enumerate([("404", "403"), ("29", "28"), ("29", "30"), ("such path", "such road")]):
        wrong = tmp_path / f"wrong_{i}.py"
        wrong.write_text(text.replace(said, other))
        result = played(wrong, sandboxes)
        assert (result.verdict, result.problems[0].field) in (
            (Verdict.VIOLATES, "payload"),
            (Verdict.VIOLATES, "silence"),  # an octet more than comes
        ), other


def test_what_the_date_is_made_of_in_a_text_is_expected(hand: Hand, tmp_path: Path) -> None:
    """It is the program's own then, and the same each time."""
    hand.do(*OPEN, r'server send b"HTTP/1.1 200 OK\r\nDate: today\r\n\r\n"')
    assert r'/ b"HTTP/1.1 200 OK\r\nDate: today\r\n\r\n")' in hand.saved(tmp_path / "story.py").read_text()


@pytest.mark.parametrize("line", ["new", "new ws", 'send Raw(load=b"x")', "ws open /a-b"])
def test_nothing_is_imported_that_is_not_needed(hand: Hand, tmp_path: Path, line: str) -> None:
    hand.do(line)
    is_well_formed(hand.saved(tmp_path / "story.py"))


@pytest.mark.parametrize("name", ["class", "match", "text", "scenario", "1", "True", "a-b", "-x"])
def test_any_name_of_a_file_will_do(
    sandboxes: Sandboxes, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Hand(sandboxes, tmp_path) as hand:
        hand.do("ws open", 'ws text "hi"')
        shown = hand.look(f"save {name}.py")
        assert ("`lab run ./-x.py` plays" in shown) is (name == "-x")
        assert ("`lab layers ./-x.pcapng` shows" in hand.look(f"pcap {name}")) is (name == "-x")
    conforms(tmp_path / f"{name}.py", sandboxes, seeds=(1,), families=["ipv4"])
    is_well_formed(tmp_path / f"{name}.py")


def test_a_pipe_that_nobody_reads_is_no_place_to_save_to(hand: Hand, tmp_path: Path) -> None:
    hand.do("syn")
    for name in ("story.py", "story.pcapng"):
        os.mkfifo(tmp_path / name)
    assert "is no ordinary file" in hand.refused(f"save {tmp_path / 'story.py'}")
    assert "is no ordinary file" in hand.refused(f"pcap {tmp_path / 'story.pcapng'}")


_LONG = "a" * 60
_NOPS = ", ".join(['("NOP", None)'] * 8)
_QUOTES = "\\'\"" * 50
LINES = [
    f'peer.send(IP(ttl=9, src="192.0.2.1", dst="198.51.100.1") / TCP(flags="A", seq=x + 1, ack=y + 1) / b"{_LONG}")',
    f'peer.send(TCP(flags="PA", seq=peer.snd_nxt, ack=peer.rcv_nxt, options=[("NOP", None), (253, b"{_LONG}")]))',
    f"peer_b.replay(TCP(options=[{_NOPS}]) / b'{_QUOTES}', lost=True)",
    f'peer.send(TCP(flags="PA") / text(b"{_LONG}{_LONG}", fin=False, rsv=4).masked(b"7\\xfa!=").encode())',
    f'peer.send(TCP(flags="PA") / text(b"{_LONG}{_LONG}").encode())',
    f'peer.send(Raw(load=b"{_LONG}{_LONG}"))',
    f'y = peer.expect(TCP(flags="SA", seq=x + 1, ack=y + 1) / b"{_LONG}").seq',
    f'peer.send(TCP(seq=(peer.snd_nxt + 123456789) * 2 - 4294967295 + 17 * 3, ack=1) / (b"{_LONG}{_LONG}" * 9))',
    f'peer.expect_data(b"HTTP/1.1 404 Not Found\\r\\nDate: ", 29, b"\\r\\n{_LONG}{_LONG}")',
]  # fmt: skip


def test_lines_are_laid_out_as_the_formatter_has_them(tmp_path: Path) -> None:
    for line in LINES:
        assert ast.dump(ast.parse("\n".join(laid_out(line, "")))) == ast.dump(ast.parse(line))
    names = sorted({node.id for line in LINES for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Name)})
    path = tmp_path / "lines.py"
    body = [line for statement in LINES for line in laid_out(statement, "    ")]
    path.write_text("\n".join([f"def lines({', '.join(names)}):", *body, ""]))
    is_well_formed(path)
    assert max(map(len, body)) <= 120


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


def test_a_containers_paths_begin_in_the_folder_that_stays(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.explore.commands.keep.KEPT", tmp_path)
    hand.do("syn")
    assert f"lab run {tmp_path / 'story.py'}" in " ".join(hand.look("save story.py").split())
    assert (tmp_path / "story.py").exists()
    hand.look(f"pcap {tmp_path / 'other.pcapng'}")
    assert (tmp_path / "other.pcapng").exists()
