"""The contest with contestants and counts made up by hand: order, medians, ratios, and what spoils a result."""

from __future__ import annotations

import io
import json
import socket
import struct
from typing import Any

import pytest

from lab.bench import told
from lab.bench.contest import Benchmark, hold
from lab.bench.contestants import FAST, KERNEL, SCENARIO, SR1, Contestant, Turn
from lab.bench.errors import BenchError
from lab.bench.machine import Machine, cpu_model
from lab.bench.roles import Closer
from lab.report.terminal import Screen

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


def result() -> Benchmark:
    server = Server()
    standings = hold(server.contestants(), server.counts, seconds=2.0, rounds=3)
    return Benchmark("ipv4", 2.0, 3, MACHINE, standings, took=30.0)


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
    told_of = {each.name: (each.median, each.connections, each.seconds) for each in result().standings}
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
    assert document["machine"]["cpu"] == "A processor"
    assert (document["family"], document["rounds"], document["took"]) == ("ipv4", 3, 30.0)


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
