"""The contest with contestants and counts made up by hand: order, medians, ratios, and what spoils a result."""

from __future__ import annotations

import io
import json
import socket
import struct
from dataclasses import replace
from typing import Any

import pytest

from lab.bench import messages, told
from lab.bench.contest import Benchmark, hold
from lab.bench.contestants import FAST, KERNEL, SCENARIO, SR1, Contestant, Turn
from lab.bench.errors import BenchError
from lab.bench.machine import Machine, cpu_model
from lab.bench.messages import HAND, LIBRARY, Speaker, Spoken
from lab.bench.roles import Closer
from lab.bench.talk import talk
from lab.report.terminal import Screen
from lab.scenario.bench import Family
from lab.server.client import AgentError, Program

MACHINE = Machine("A processor", 2, 0.5, "Linux 6.1 x86_64", "CPython 3.11", "2.6", "0.1")
PLAN = {SCENARIO: [3, 1, 2], FAST: [500, 100, 400], SR1: [1, 1, 1], KERNEL: [1000, 700, 800]}
"""Connections in each round; every turn takes two seconds."""


class Server:
    """Counts what the contestants do, as an honest server would."""

    def __init__(self) -> None:
        self.counted = {"opened": 0, "ended": 0, "broken": 0, "reset": 0, "left": 0}
        self.order: list[str] = []
        self.lengths: set[float] = set()

    def contestants(self, plan: dict[str, list[int]] = PLAN) -> list[Contestant]:
        def made(name: str, todo: list[int]) -> Contestant:
            numbers = iter([7, *todo])  # the first is the warm-up

            def turn(seconds: float) -> Turn:
                number = next(numbers)
                self.order.append(name)
                self.lengths.add(seconds)
                self.counted["opened"] += number
                self.counted["ended"] += number if name != SCENARIO else 0
                return Turn(number, 2.0)

            return Contestant(name, f"says {name}", turn, meets_closer=name != SCENARIO)

        return [made(name, todo) for name, todo in plan.items()]

    def counts(self) -> dict[str, int]:
        return dict(self.counted)


SAID = {HAND: [2, 3, 1], LIBRARY: [8, 12, 4], "by hand, 32 ahead": [30, 20, 10], "websockets, 32 ahead": [20, 10, 5]}
"""Messages in each round; every turn takes two seconds."""


class Listener:
    """A program that says what it was given, of connections told apart by their port."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.programs: dict[int, Program] = {}
        self.changes: dict[str, Any] = {}

    def speakers(self) -> list[Speaker]:
        def made(name: str, todo: list[int]) -> Speaker:
            numbers = iter([7, *todo])  # the first is the warm-up

            def turn(seconds: float) -> tuple[Spoken, tuple[str, int]]:
                number = next(numbers)
                self.order.append(name)
                port = 1000 + len(self.order)
                self.programs[port] = Program("/echo", number, False, 1000, "", "")
                return Spoken(number, 2.0), ("192.0.2.1", port)

            return Speaker(name, f"says {name}", 32 if "ahead" in name else 1, turn)

        return [made(name, todo) for name, todo in SAID.items()]

    def heard(self, remote: tuple[str, int]) -> Program:
        return replace(self.programs[remote[1]], **self.changes)


def result() -> Benchmark:
    server, listener = Server(), Listener()
    standings = hold(server.contestants(), server.counts, seconds=2.0, rounds=3)
    said = messages.hold(listener.speakers(), listener.heard, seconds=2.0, rounds=3)
    return Benchmark("ipv4", 2.0, 3, MACHINE, standings, said, took=30.0)


def test_the_turns_are_interleaved_and_the_warm_up_does_not_count() -> None:
    server = Server()
    said: list[tuple[str, int]] = []
    standings = hold(
        server.contestants(), server.counts, seconds=2.0, rounds=3, on_turn=lambda *turn: said.append(turn)
    )
    four = [SCENARIO, FAST, SR1, KERNEL]
    assert server.order == four * 4
    assert said == [(name, number) for number in range(4) for name in four]
    assert [[turn.connections for turn in each.turns] for each in standings] == list(PLAN.values())
    assert max(server.lengths) == 2.0


def test_medians_and_ratios() -> None:
    told_of = {each.name: (each.median, each.count, each.seconds) for each in result().standings}
    assert told_of == {
        SCENARIO: (1.0, 6, 6.0),
        FAST: (200.0, 1000, 6.0),
        SR1: (0.5, 3, 6.0),
        KERNEL: (400.0, 2500, 6.0),
    }
    assert result().ratios == {SCENARIO: 200.0, SR1: 400.0, KERNEL: 0.5}


@pytest.mark.parametrize(
    ("changed", "by", "says"),
    [
        ("opened", -1, "opened at the server's kernel"),
        ("opened", 1, "opened at the server's kernel"),
        ("ended", -1, "read to the end"),
        ("broken", 1, "broke there"),
        ("reset", 1, "reset there"),
        ("left", 1, "leaves 1 connections at the server"),
    ],
)
@pytest.mark.parametrize("whose", [SCENARIO, FAST, KERNEL])
def test_a_count_that_the_server_does_not_share_is_no_result(whose: str, changed: str, by: int, says: str) -> None:
    server = Server()
    who = server.contestants()
    number = list(PLAN).index(whose)
    honest = who[number].turn

    def lying(seconds: float) -> Turn:
        turn = honest(seconds)
        server.counted[changed] += by
        return turn

    who[number] = Contestant(whose, "", lying, who[number].meets_closer)
    with pytest.raises(BenchError, match=says) as caught:
        hold(who, server.counts, seconds=2.0, rounds=1)
    assert str(caught.value).startswith(whose)


def test_the_json_has_every_number() -> None:
    document = json.loads(json.dumps(told.document(result())))
    assert [each["name"] for each in document["contestants"]] == [SCENARIO, FAST, SR1, KERNEL]
    fast = document["contestants"][1]
    assert fast["connections"] == 1000
    assert (fast["per_second"]["lowest"], fast["per_second"]["median"], fast["per_second"]["highest"]) == (50, 200, 250)
    assert fast["per_second"]["rounds"][0] == {"connections": 500, "seconds": 2.0}
    assert document["ratios"] == {SCENARIO: 200.0, SR1: 400.0, KERNEL: 0.5}
    said = document["messages"]
    assert [each["name"] for each in said["contestants"]] == list(SAID)
    assert (said["contestants"][0]["messages"], said["contestants"][0]["per_second"]["median"]) == (6, 1.0)
    assert said["contestants"][1]["per_second"]["rounds"][2] == {"messages": 4, "seconds": 2.0}
    assert said["ratios"] == {LIBRARY: 0.25, "websockets, 32 ahead": 2.0}
    assert document["machine"]["cpu"] == "A processor"
    assert (document["family"], document["rounds"], document["took"]) == ("ipv4", 3, 30.0)


def test_the_speakers_take_turns_and_are_compared_with_as_many_on_their_way() -> None:
    listener = Listener()
    said: list[tuple[str, int]] = []
    standings = messages.hold(
        listener.speakers(), listener.heard, seconds=2.0, rounds=3, on_turn=lambda *turn: said.append(turn)
    )
    assert listener.order == list(SAID) * 4
    assert said == [(name, number) for number in range(4) for name in SAID]
    assert [[turn.messages for turn in each.turns] for each in standings] == list(SAID.values())
    assert [each.median for each in standings] == [1.0, 4.0, 10.0, 5.0]
    assert messages.ratios(standings) == {LIBRARY: 0.25, "websockets, 32 ahead": 2.0}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"messages": 6}, "by hand counts 7 messages, but the server's program was given 6"),
        ({"open": True}, "it is still open"),
        ({"code": 1006}, "its code is 1006"),
    ],
)
def test_messages_that_the_server_does_not_know_of_are_no_result(changes: dict[str, Any], says: str) -> None:
    listener = Listener()
    listener.changes = changes
    with pytest.raises(BenchError, match=says):
        messages.hold(listener.speakers(), listener.heard, seconds=2.0, rounds=1)


def test_a_connection_that_the_server_has_never_seen_is_no_result() -> None:
    def nobody(remote: tuple[str, int]) -> Program:
        raise AgentError("timeout", None, "no such connection")

    with pytest.raises(BenchError, match="knows nothing of the connection of by hand"):
        messages.hold(Listener().speakers(), nobody, seconds=2.0, rounds=1)


@pytest.mark.parametrize("ahead", [1, 3])
def test_what_is_said_comes_back_in_its_order(ahead: int) -> None:
    on_their_way: list[str] = []
    most = 0

    def send(text: str) -> None:
        nonlocal most
        on_their_way.append(text)
        most = max(most, len(on_their_way))

    count, seconds = talk(send, lambda: on_their_way.pop(0), ahead=ahead, seconds=0.01)
    assert (most, on_their_way) == (ahead, [])
    assert count > ahead
    assert seconds >= 0.01
    assert talk(send, lambda: on_their_way.pop(0), ahead=ahead, seconds=0.0)[0] == 1


@pytest.mark.parametrize("wrong", ["message 00000002", "message 0000001", "", "message 00000000"])
def test_another_message_than_the_one_that_was_sent_is_none(wrong: str) -> None:
    came = iter(["message 00000000", wrong])
    with pytest.raises(ValueError, match="message 1 was to come back"):
        talk(lambda text: None, lambda: next(came), ahead=2, seconds=1.0)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_table_is_plain_where_there_is_no_terminal(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    octets = io.BytesIO()
    stream = io.TextIOWrapper(octets, encoding=encoding, newline="\n")
    monkeypatch.setattr("sys.stdout", stream)
    told.show(result(), Screen())
    stream.flush()
    text = octets.getvalue().decode(encoding)
    assert "\x1b" not in text
    rows = {words[0]: words for words in (line.replace("|", " ").split() for line in text.splitlines()) if words}
    assert rows["kernel"][1:5] == ["400", "350", "500", "2,500"]
    assert rows["kernel"][5] == "0.50"
    assert rows["scenario"][5] == "200"
    assert [words[1:6] for name, words in rows.items() if name == "websockets"] == [["4.0", "2.0", "6.0", "24", "0.25"]]
    assert "by hand, 32 ahead" in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "A processor, 2 cores" in text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.8249, "0.82"), (9.06, "9.1"), (43.4, "43"), (209.4, "209"), (1285.0, "1,280"), (11734.0, "11,700")],
)
def test_figures_have_no_more_digits_than_they_are_worth(number: float, text: str) -> None:
    assert told._figure(number) == text


def test_the_processors_name() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n\nprocessor\t: 1\nmodel name\t: Same") == "Same"
    assert cpu_model("processor : 0\nBogoMIPS : 50.00\n\nModel : Raspberry Pi 4\n") == "Raspberry Pi 4"
    assert cpu_model("") == ""


def test_the_servers_program_counts_who_ended_and_who_broke() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        closer = Closer(listener)
        for name in ("fin", "data", "rst", "fin"):
            client = socket.create_connection(listener.getsockname())
            with client:
                if name == "data":
                    client.sendall(b"x")
                if name == "rst":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
                else:
                    client.shutdown(socket.SHUT_WR)
                if name == "fin":
                    closer.take()
                    assert client.recv(1) == b""
        closer.take()
    assert (closer.ended, closer.broken) == (2, 2)


def test_the_fast_path_in_the_contest_refuses_a_broken_server(sandbox_works: None) -> None:
    from pathlib import Path
    from types import SimpleNamespace

    from lab.bench.contestants import contestants
    from lab.testbed.sandbox import Sandboxes

    broken = Path(__file__).parent.parent / "broken"
    with Sandboxes() as sandboxes, sandboxes.make("broken_servers:broken_syn_ack_acks_x", path=[broken]) as sandbox:
        assert sandbox.agent is not None
        _, port = sandbox.agent.listen("ipv4")
        ground: Any = SimpleNamespace(sandbox=sandbox, family="ipv4", port=port, sr1=None, kernel=None)
        fast = next(each for each in contestants(ground) if each.name == FAST)
        with pytest.raises(BenchError, match=r"the fast path refuses an answer: .*ack should be"):
            fast.turn(0.1)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("text_comes_back_binary", "a text message was to come back"),
        ("text_cut_in_a_character", "was to come back"),
        ("masks", "a text message was to come back"),
        ("tires_of_messages", "the server has ended the connection|there came: Ended"),
        ("resets_at_once", "the WebSocket does not open"),
        ("accept_of_the_key_alone", "the WebSocket does not open"),
        ("echo_one_behind", "the server says nothing"),
    ],
)
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_the_client_by_hand_refuses_a_broken_server(
    broken: str, says: str, family: Family, sandbox_works: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    from lab.bench import byhand
    from lab.testbed.sandbox import Sandboxes

    if broken == "echo_one_behind":
        monkeypatch.setattr(byhand, "PATIENCE", 0.2)
    path = [Path(__file__).parent.parent / "broken"]
    serve = f"websocket_servers:broken_{broken}"
    with Sandboxes() as sandboxes, sandboxes.make(serve, path=path, websocket=True) as sandbox:
        assert sandbox.agent is not None
        client = byhand.ByHand(sandbox, family, sandbox.agent.services()["websocket"])

        def turn() -> None:
            client.open()
            talk(client.send, client.receive, ahead=1, seconds=60.0)

        with pytest.raises((BenchError, ValueError), match=says):
            turn()
