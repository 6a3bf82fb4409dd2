"""The resources of the WebSocket service, as programs use them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from clients import everything, frame, head, opened, request
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from lab.cli.options import websocket_help
from lab.server.client import Agent
from lab.server.sites.edit import Edit
from lab.server.sites.pages import EVERYWHERE, PAGES

WITHIN = 20.0


def play(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, WITHIN))


@asynccontextmanager
async def at(port: int, *targets: str) -> AsyncIterator[list[ClientConnection]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(connect(f"ws://127.0.0.1:{port}{target}", compression=None))
            for target in targets
        ]


async def said(client: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await client.recv())
    return message


async def say(client: ClientConnection, **message: Any) -> None:
    await client.send(json.dumps(message))


def test_a_chat(port: int) -> None:
    async def story() -> None:
        async with at(port, "/chat/tea", "/chat/tea", "/chat/tea", "/chat/coffee") as (ann, bob, eve, far):
            assert await said(ann) == {"type": "welcome", "room": "tea", "you": "guest-1", "members": ["guest-1"]}
            assert [(await said(ann))["name"] for _ in range(2)] == ["guest-2", "guest-3"]
            assert (await said(bob))["members"] == ["guest-1", "guest-2"]
            assert (await said(eve))["you"] == "guest-3"
            assert await said(bob) == {"type": "joined", "name": "guest-3"}
            await say(ann, type="name", name="Ann")
            for client in (ann, bob, eve):
                assert await said(client) == {"type": "renamed", "from": "guest-1", "name": "Ann"}
            # Two speak at once: all hear both in the same order.
            await asyncio.gather(say(ann, type="say", text="á\ud800"), say(bob, type="say", text="b"))
            heard = [[await said(client) for _ in range(2)] for client in (ann, bob, eve)]
            assert heard[0] == heard[1] == heard[2]
            assert [message["number"] for message in heard[0]] == [1, 2]
            assert {message["from"]: message["text"] for message in heard[0]} == {"Ann": "á\ud800", "guest-2": "b"}
            # One to one: nobody else hears it.
            await say(eve, type="tell", to="Ann", text="psst")
            assert await said(ann) == {"type": "tell", "from": "guest-3", "text": "psst"}
            for wrong in (
                {"type": "tell", "to": "nobody", "text": "x"},
                {"type": "tell", "to": ["Ann"], "text": "x"},
                {"type": "say", "text": 1},
                {"type": "say", "text": "x" * 8193},
                {"type": "name", "name": "Ann"},
                {"type": "name", "name": "a\nb"},
                {"type": "shout"},
            ):
                await say(bob, **wrong)
                assert (await said(bob))["type"] == "error"
            for wrong_text in ("{", "[]", "[" * 100_000, "1"):
                await bob.send(wrong_text)
                assert (await said(bob))["text"] == "a message must be one JSON object"
            await bob.close()
            assert await said(ann) == {"type": "left", "name": "guest-2"}
            assert await said(eve) == {"type": "left", "name": "guest-2"}
            await eve.send(b"binary")
            with pytest.raises(ConnectionClosed):
                await eve.recv()
            assert eve.close_code == 1003
            assert await said(ann) == {"type": "left", "name": "guest-3"}
            assert (await said(far))["members"] == ["guest-1"]
            await say(far, type="say", text="alone")
            assert (await said(far))["number"] == 1

    play(story())


def test_a_game(port: int) -> None:
    async def story() -> None:
        async with at(port, "/game/a", "/game/a", "/game/b") as (one, two, elsewhere):
            assert await said(one) == {"type": "welcome", "you": "player-1", "size": 100}
            assert (await said(one))["players"] == {"player-1": [50, 50]}
            assert (await said(two))["you"] == "player-2"
            both = {"player-1": [50, 50], "player-2": [50, 50]}
            for client in (one, two):
                assert await said(client) == {
                    "type": "state", "number": 2, "by": "player-2", "input": 0, "players": both,
                }  # fmt: skip
            for n in range(60):
                await say(one, type="move", dx=-1, dy=1)
                for client in (one, two):
                    state = await said(client)
                    assert (state["by"], state["input"], state["number"]) == ("player-1", n + 1, n + 3)
            assert state["players"]["player-1"] == [0, 99]
            for wrong in ({"type": "move", "dx": 2}, {"type": "move", "dx": True}, {"type": "jump"}):
                await say(two, **wrong)
                assert (await said(two))["type"] == "error"
            await two.close()
            assert (await said(one))["players"] == {"player-1": [0, 99]}
            # Another field: the first player there, who has seen its own arrival and none of all this.
            assert await said(elsewhere) == {"type": "welcome", "you": "player-1", "size": 100}
            assert (await said(elsewhere))["number"] == 1
            await say(elsewhere, type="move", dx=1, dy=0)
            assert await said(elsewhere) == {
                "type": "state", "number": 2, "by": "player-1", "input": 1, "players": {"player-1": [51, 50]},
            }  # fmt: skip

    play(story())


def apply(text: str, edit: dict[str, Any]) -> str:
    """An edit as the server sends it, done by a writer."""
    at, delete, insert = edit["at"], edit["delete"], edit["insert"]
    assert 0 <= at <= at + delete <= len(text)
    return text[:at] + insert + text[at + delete :]


def test_three_writers_end_with_the_same_text(port: int) -> None:
    draw = random.Random(1)
    rounds, writers = 40, 3

    async def write(client: ClientConnection) -> tuple[str, list[int]]:
        opening = await said(client)
        text, revision, revisions = opening["text"], opening["revision"], []
        # What is meant for a text that is some edits old by the time it arrives.
        for n in range(rounds):
            at = draw.randint(0, len(text))
            delete = draw.randint(0, min(3, len(text) - at))
            await say(client, type="edit", base=revision, at=at, delete=delete, insert=opening["you"][-1] * (n % 3))
            if n % 4 == 3:
                while revision < opening["revision"] + n:
                    edit = await said(client)
                    text, revision = apply(text, edit), edit["revision"]
                    revisions.append(revision)
        while revision < rounds * writers:
            edit = await said(client)
            text, revision = apply(text, edit), edit["revision"]
            revisions.append(revision)
        return text, revisions

    async def story() -> None:
        async with at(port, *["/edit/notes"] * writers) as clients:
            written = await asyncio.gather(*(write(client) for client in clients))
            assert len({text for text, _ in written}) == 1
            assert all(revisions == list(range(1, rounds * writers + 1)) for _, revisions in written)
        async with at(port, "/edit/notes", "/edit/other") as (late, other):
            assert await said(late) == {
                "type": "document", "you": "writer-4", "revision": rounds * writers, "text": written[0][0],
            }  # fmt: skip
            assert (await said(other))["text"] == ""
            for wrong in (
                {"base": 1000, "at": 0, "delete": 0, "insert": ""},
                {"base": -1, "at": 0, "delete": 0, "insert": ""},
                {"base": 0, "at": 1, "delete": 0, "insert": ""},
                {"base": 0, "at": 0, "delete": -1, "insert": ""},
                {"base": 0, "at": 0, "delete": 0, "insert": "x" * 16385},
                {"base": 0, "at": 0, "delete": 0},
            ):
                await say(other, type="edit", **wrong)
                assert (await said(other))["type"] == "error"

    play(story())


@pytest.mark.parametrize(
    ("edit", "earlier", "after"),
    [
        (Edit(5, 0, "x"), Edit(2, 1, "abc"), Edit(7, 0, "x")),
        (Edit(1, 1, "x"), Edit(2, 1, "abc"), Edit(1, 1, "x")),
        (Edit(2, 0, "x"), Edit(2, 0, "abc"), Edit(5, 0, "x")),  # the first to come is the first to stand
        (Edit(3, 4, ""), Edit(1, 4, ""), Edit(1, 2, "")),
        (Edit(1, 4, ""), Edit(3, 4, ""), Edit(1, 2, "")),
        (Edit(1, 9, ""), Edit(3, 2, ""), Edit(1, 7, "")),
        (Edit(1, 9, ""), Edit(3, 2, "new"), Edit(1, 2, "")),
        (Edit(3, 2, "x"), Edit(1, 9, "y"), Edit(2, 0, "x")),
    ],
)
def test_an_edit_finds_its_place_after_another(edit: Edit, earlier: Edit, after: Edit) -> None:
    assert edit.after(earlier) == after


@pytest.mark.parametrize("path", ["ticker", "score", "map"])
def test_a_feed_tells_the_present_state_first_then_each_event(path: str, port: int) -> None:
    def go_on(state: dict[str, Any], event: dict[str, Any]) -> None:
        """What an event makes of a state, as a client works it out."""
        assert event["number"] == state["number"] + 1
        state["number"] = event["number"]
        if path == "ticker":
            state["prices"][event["symbol"]] = event["price"]
        elif path == "score":
            state["score"][event["side"]] += 1
            assert state["score"] == event["score"]
        else:
            state["at"][event["name"]] = event["at"]

    async def story() -> None:
        async with at(port, f"/{path}?every=0.01") as (early,):
            state = await said(early)
            assert (state["type"], state["number"]) == ("state", 0)
            for _ in range(5):
                go_on(state, await said(early))
            async with at(port, f"/{path}?every=0.01", f"/{path}?every=0.02&pad=9") as (late, other):
                joined = await said(late)
                assert joined["type"] == "state"
                assert joined["number"] >= 5
                while state["number"] < joined["number"]:
                    go_on(state, await said(early))
                assert state == joined
                for client in (early, late):
                    for _ in range(5):
                        go_on(state if client is early else joined, await said(client))
                assert state == joined
                opening = await said(other)
                assert (opening["number"], opening["pad"]) == (0, ".........")
            # A subscriber that vanishes harms nobody.
            late.transport.abort()
            go_on(state, await said(early))

    play(story())
    play(story())  # with the first subscriber it begins anew


def test_a_subscriber_that_does_not_read_is_dropped_and_delays_nobody(served: Agent, port: int) -> None:
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", port))
        slow.sendall(request("/ticker?every=0.01&pad=65536"))
        head(slow)

        async def story() -> None:
            async with at(port, "/ticker?every=0.01&pad=65536") as (quick,):
                number = (await said(quick))["number"]
                loop = asyncio.get_running_loop()
                dropped = loop.run_in_executor(None, served.program, "ipv4", slow.getsockname()[:2], 10.0)
                while not dropped.done():
                    event = await said(quick)
                    assert event["number"] == number + 1
                    number += 1
                program = await dropped
                assert (program.open, program.code) == (False, 1006)
                assert program.dropped == "more waited for it than may wait for a subscriber"
                assert number < 100  # 128 KiB in the kernel's buffers and 256 KiB beyond them

        play(story())
        with pytest.raises(ConnectionResetError):
            everything(slow)


def test_echo_holds_back_a_client_that_does_not_read(served: Agent, port: int) -> None:
    message = frame(0x82, bytes(100_000))
    with opened(port) as client:
        client.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while True:
                sent += client.send(message[sent % len(message) :])
        assert sent < 64 << 20
        # It is neither dropped nor has it cost the others anything.
        with opened(port) as other:
            other.sendall(frame(0x81, b"?"))
            assert other.recv(3) == b"\x81\x01?"
        assert served.program("ipv4", client.getsockname()[:2], timeout=0).open
        client.settimeout(10)
        echoed = 0
        while echoed < sent // len(message) * 100_010:
            echoed += len(client.recv(1 << 20))


def test_pings_without_end_from_a_client_that_does_not_read(served: Agent, port: int) -> None:
    pings = frame(0x89, bytes(125)) * 1000
    with opened(port) as client:
        client.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while True:
                client.sendall(pings)
        with opened(port) as other:
            other.sendall(frame(0x81, b"?"))
            assert other.recv(3) == b"\x81\x01?"


def test_a_client_that_answers_no_ping_is_dropped(served: Agent, port: int) -> None:
    with opened(port, "/echo?ping=0.05") as client:
        first = client.recv(2, socket.MSG_WAITALL)
        assert first[0] == 0x89
        payload = client.recv(first[1], socket.MSG_WAITALL)
        client.sendall(frame(0x8A, payload))
        assert client.recv(1) == b"\x89"  # answered, it is asked again
        program = served.program("ipv4", client.getsockname()[:2])
        assert (program.code, program.dropped) == (1006, "no Pong within 0.05 seconds")


@pytest.mark.parametrize(("target", "timer"), [("/echo?keepalive=7", "02"), ("/echo", "00")])
def test_tcp_keep_alive_is_switched_on_where_it_is_asked_for(target: str, timer: str, port: int) -> None:
    with opened(port, target) as client:
        ends = [f"0100007F:{end:04X}" for end in (port, client.getsockname()[1])]

        def running() -> str:
            """The timer of the server's end (proc(5)): 01 while data are not acknowledged, 02 keep-alive."""
            (line,) = (each for each in Path("/proc/net/tcp").read_text().splitlines() if each.split()[1:3] == ends)
            return line.split()[5][:2]

        until = time.monotonic() + 10
        while running() != timer and time.monotonic() < until:
            time.sleep(0.01)
        assert running() == timer


def test_the_help_tells_every_resource_and_every_parameter() -> None:
    told = websocket_help()
    for page in PAGES:
        assert page.shown in told
        for parameter in (*page.parameters, *EVERYWHERE):
            assert parameter.shown in told
    assert "/chat/ROOM" in told
    assert "every=0.5" in told
