"""The honest WebSocket server by hand, over loopback: by literal octets, and with a client that we did not write."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
import websocket_frames as wire
import websocket_servers
from websocket_desk import ACCEPT, KEY, REQUEST, SWITCHING, Client, Desk, Serve
from websocket_frames import Frame, Header, encode
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect

HONEST: Serve = websocket_servers.honest  # type: ignore[attr-defined]
HABITS: dict[str, Serve] = {
    name: getattr(websocket_servers, name)
    for name in websocket_servers.HONEST
    if name != "honest_hints"  # the library takes no interim answers
}


@pytest.fixture(params=["127.0.0.1", "::1"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with Desk(request.param) as desk:
        yield desk
    assert not desk.raised


def opened(desk: Desk, serve: Serve = HONEST) -> Client:
    """A client whose handshake is through."""
    client = desk.call(serve)
    client.send(REQUEST)
    assert client.hear() == SWITCHING
    client.heard = b""
    return client


# ---- frames, against octets of RFC 6455 §5.7 and others written down by hand ---------------------------------


@pytest.mark.parametrize(
    ("frame", "octets"),
    [
        (Frame(1, b"Hello"), "81 05 48 65 6c 6c 6f"),
        (Frame(1, b"Hello", key=bytes.fromhex("37fa213d")), "81 85 37 fa 21 3d 7f 9f 4d 51 58"),
        (Frame(1, b"Hel", fin=False), "01 03 48 65 6c"),
        (Frame(0, b"lo"), "80 02 6c 6f"),
        (Frame(9, b"Hello"), "89 05 48 65 6c 6c 6f"),
        (Frame(1, b"", rsv=4), "c1 00"),
        (Frame(1, b"", rsv=2), "a1 00"),
        (Frame(1, b"", rsv=1), "91 00"),
        (Frame(2, b"a", form=16), "82 7e 00 01 61"),
        (Frame(2, b"a", form=64), "82 7f 00 00 00 00 00 00 00 01 61"),
        (Frame(2, b"a", announced=1 << 63), "82 7f 80 00 00 00 00 00 00 00 61"),
    ],
)
def test_frame_to_the_octet(frame: Frame, octets: str) -> None:
    assert encode(frame) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (125, "82 7d"),
        (126, "82 7e 00 7e"),
        (127, "82 7e 00 7f"),
        (256, "82 7e 01 00"),
        (65535, "82 7e ff ff"),
        (65536, "82 7f 00 00 00 00 00 01 00 00"),
    ],
)
def test_lengths_take_the_shortest_form(length: int, head: str) -> None:
    octets = bytes.fromhex(head)
    assert encode(Frame(2, bytes(length))) == octets + bytes(length)
    form = {2: 7, 4: 16, 10: 64}[len(octets)]
    assert wire.read_header(octets) == Header(True, 0, 2, length, form, None, len(octets))
    assert wire.read_header(octets[:-1]) is None


# ---- opening ------------------------------------------------------------------------------------------------


def test_the_handshake_of_the_rfc(desk: Desk) -> None:
    """RFC 6455 §1.3: the key dGhlIHNhbXBsZSBub25jZQ== is proved by s3pPLMBiTxaQ9kYGzzhZRbK+xOo=."""
    assert f"Key: {KEY}\r\n".encode() in REQUEST
    assert f"Accept: {ACCEPT}\r\n".encode() in SWITCHING
    with opened(desk) as client:
        client.finish()
        assert client.all() == b""
        assert client.end == "fin"


def test_a_request_octet_by_octet_gets_the_same(desk: Desk) -> None:
    with desk.call(HONEST) as client:
        for at in range(len(REQUEST)):
            assert client.hear() == b""
            client.send(REQUEST[at : at + 1])
        assert client.hear() == SWITCHING


def test_a_head_without_end_is_refused(desk: Desk) -> None:
    with desk.call(HONEST) as client:
        client.send(b"GET /echo HTTP/1.1\r\n", *[b"X-Padding: and so on\r\n" * 100] * 10)
        assert client.hear().startswith(b"HTTP/1.1 431 ")
        assert client.end == "fin"


def test_a_head_request_is_refused_without_a_body(desk: Desk) -> None:
    with desk.call(HONEST) as client:
        client.send(REQUEST.replace(b"GET", b"HEAD", 1))
        assert client.hear().endswith(b"Content-Length: 0\r\n\r\n")
        assert client.hear().startswith(b"HTTP/1.1 405 ")


# ---- closing ------------------------------------------------------------------------------------------------


def test_the_server_closes_tcp_first_and_discards_the_rest(desk: Desk) -> None:
    """FIN and not RST, though octets came that nobody read (§7.1.1); and it waits for the client's FIN."""
    with opened(desk) as client:
        client.send(bytes.fromhex("88 82 00000000 03e8") + b"trailing octets", b"and more", b"and more")
        assert client.hear() == b"\x88\x02\x03\xe8"
        assert client.end == "fin"
        client.finish()
        assert client.all() == b"\x88\x02\x03\xe8"


def test_a_client_that_is_gone_leaves_nothing(desk: Desk) -> None:
    for cut in (
        REQUEST[:40],
        REQUEST,
        REQUEST + bytes.fromhex("81 85 00"),
        REQUEST + bytes.fromhex("01 81 00000000 41"),
    ):
        for reset in (False, True):
            with desk.call(HONEST) as client:
                client.send(cut)
                if reset:
                    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                else:
                    client.finish()
                    client.all()
                    assert client.end == "fin"
            desk.settled()
    assert not desk.serving()


# ---- with a client that we did not write --------------------------------------------------------------------


def websocket(desk: Desk, serve: Serve, host: str, path: str = "/echo", **more: object) -> ClientConnection:
    return connect(f"ws://{host}:{desk.port(serve)}{path}", proxy=None, ping_interval=None, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("habit", HABITS)
def test_every_honest_server_gets_on_with_a_library(habit: str) -> None:
    """Messages of all lengths at which the form of a length changes, fragments, Pings, and a clean end."""
    with Desk() as desk:
        with websocket(
            desk, HABITS[habit], "127.0.0.1", subprotocols=["unknown.lab", "json.lab", "chat.lab"]
        ) as client:
            assert client.subprotocol == "json.lab"
            for size in (0, 1, 125, 126, 127, 65535, 65536, 1 << 20):
                client.send(bytes(range(256)) * (size // 256) + bytes(size % 256))
                assert client.recv(10) == bytes(range(256)) * (size // 256) + bytes(size % 256)
            client.send(["Grüße", "", " aus", " 𝄞"])
            assert client.recv(10) == "Grüße aus 𝄞"
            first, second = client.ping(b"one"), client.ping(b"two")
            assert second.wait(10)
            assert first.wait(10)
        assert client.close_code in (1000, 1005)
        desk.settled()
        assert not desk.serving()
    assert not desk.raised


@pytest.mark.parametrize("habit", HABITS)
def test_every_honest_server_refuses_what_is_too_big(habit: str) -> None:
    with Desk() as desk, websocket(desk, HABITS[habit], "127.0.0.1") as client:
        client.send(bytes((1 << 20) + 1))
        with pytest.raises(ConnectionClosedError):
            client.recv(10)
        expected = {"honest_drops": 1006, "honest_resets": 1006, "honest_normal": 1008}
        assert client.close_code == expected.get(habit, 1009)


@pytest.mark.parametrize("habit", [each for each in HABITS if each != "honest_any_path"])
def test_every_honest_server_knows_its_paths(habit: str) -> None:
    with Desk() as desk:
        with pytest.raises(InvalidStatus) as refused:
            websocket(desk, HABITS[habit], "127.0.0.1", "/nowhere")
        assert refused.value.response.status_code == 404


def test_a_close_with_a_reason_comes_back(desk: Desk) -> None:
    host = "127.0.0.1" if desk.host == "127.0.0.1" else "[::1]"
    with websocket(desk, HONEST, host) as client:
        client.close(4000, "enough")
        with pytest.raises(ConnectionClosedOK if client.close_code == 1000 else ConnectionClosedError):
            client.recv(10)
        assert (client.close_code, client.close_reason) == (4000, "enough")


def test_a_slow_reader_holds_the_server_back(desk: Desk) -> None:
    """It reads no more than it can send back: what a client does not take is not kept without bound."""
    with opened(desk) as client:
        message = encode(Frame(2, bytes(1 << 16), key=bytes(4)))
        client.sock.settimeout(0)
        full = False
        for _ in range(4000):
            try:
                full = client.sock.send(message) < len(message)
            except BlockingIOError:
                full = True
            if full:
                break
            desk.settled()
        assert full


async def _crash(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    raise ValueError("on purpose")


def test_the_desk_notices_a_crash() -> None:
    with Desk() as desk:
        with desk.call(_crash) as client:
            client.all()
        assert [str(error) for error in desk.raised] == ["on purpose"]
