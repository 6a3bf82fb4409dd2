"""The WebSocket service keeps RFC 6455 where a client does not: octets in, octets out, by hand."""

from __future__ import annotations

import socket

import pytest
from clients import HEAD, KEY, everything, exactly, frame, head, opened, request

from lab.server.client import Agent

HELLO = frame(0x81, b"Hello")
PING = frame(0x89, b"late")


def answer_to(port: int, octets: bytes) -> tuple[str, dict[str, str], bytes]:
    """Status, fields and body of the answer to a request, after which the server closes."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(octets)
        status, fields = head(client)
        body = everything(client)
    return status, fields, body


@pytest.mark.parametrize(
    ("octets", "status", "fields"),
    [
        (request().replace(b"GET", b"POST"), 405, {"allow": "GET"}),
        (request().replace(b"GET", b"HEAD"), 405, {"allow": "GET"}),
        (request().replace(b"HTTP/1.1", b"HTTP/1.0"), 505, {}),
        (request().replace(b"HTTP/1.1", b"HTTP/9"), 400, {}),
        (request().replace(b"GET /echo HTTP/1.1", b"GET  HTTP/1.1"), 400, {}),
        (request().replace(b"GET /echo HTTP/1.1", b"GET /echo"), 400, {}),
        (request(without="Host"), 400, {}),
        (request("/echo", "Host: other.example.com"), 400, {}),
        (request("/echo", "Host:", without="Host"), 400, {}),
        (request("/echo", "Host: a b", without="Host"), 400, {}),
        (request(without="Upgrade"), 426, {"upgrade": "websocket", "connection": "Upgrade, close"}),
        (request("/echo", "Upgrade: h2c", without="Upgrade"), 426, {"upgrade": "websocket"}),
        (request("/echo", "Upgrade: websocket2", without="Upgrade"), 426, {"upgrade": "websocket"}),
        (request(without="Connection"), 426, {"upgrade": "websocket"}),
        (request("/echo", "Connection: close", without="Connection"), 426, {"upgrade": "websocket"}),
        (request("/echo", "Connection: upgraded", without="Connection"), 426, {"upgrade": "websocket"}),
        (request("/echo", "Connection: \x01", without="Connection"), 400, {}),
        (request(without="Sec-WebSocket-Version"), 400, {"sec-websocket-version": "13"}),
        *(
            (
                request("/echo", f"Sec-WebSocket-Version: {version}", without="Sec-WebSocket-Version"),
                426,
                {"sec-websocket-version": "13"},
            )
            for version in ("8", "0", "25", "013", "abc", "13, 8", "")
        ),
        (request("/echo", "Sec-WebSocket-Version: 13"), 400, {"sec-websocket-version": "13"}),
        (request(without="Sec-WebSocket-Key"), 400, {}),
        (request("/echo", f"Sec-WebSocket-Key: {KEY}"), 400, {}),
        *(
            (request("/echo", f"Sec-WebSocket-Key: {key}", without="Sec-WebSocket-Key"), 400, {})
            for key in (
                "",
                "dGhlIHNhbXBsZSBub25jZQ",
                "dGhlIHNhbXBsZSBub25j",
                "dGhlIHNhbXBsZSBub25jZXM=",
                "§§§",
                KEY[:-1],
            )
        ),
        *(
            (request("/echo", f"Sec-WebSocket-Extensions: {value}"), 400, {})
            for value in (";", ",,=", "", "x; y=", 'x; y="a b"', "x y", 'x; y="')
        ),
        (request("/echo", "Sec-WebSocket-Protocol: a b"), 400, {}),
        (request("/echo", "Sec-WebSocket-Protocol:"), 400, {}),
        (request("/"), 404, {}),
        (request("/echo/more"), 404, {}),
        (request("/Echo"), 404, {}),
        (request("/chat"), 404, {}),
        (request("/chat/"), 404, {}),
        (request("/chat/" + "r" * 65), 404, {}),
        (request("/echo#part"), 400, {}),
        (request("echo"), 400, {}),
        (request("*"), 400, {}),
        (request("ftp://h/echo"), 400, {}),
        (request("http://[::1/echo"), 400, {}),
        (request("/chat/%ff"), 400, {}),
        (request("/echo?every=1"), 400, {}),
        (request("/ticker?every=0"), 400, {}),
        (request("/ticker?every=nan"), 400, {}),
        (request("/ticker?every=1e999"), 400, {}),
        (request("/echo?after=1.5"), 400, {}),
        (request("/echo?code=1005"), 400, {}),
        (request("/echo?" + "&".join(f"a{n}" for n in range(30))), 400, {}),
        (request("/echo", "no colon"), 400, {}),
        (request("/echo", " folded: x"), 400, {}),
        (request("/echo", "Content-Length: 5"), 400, {}),
        (request("/" + "x" * 10_000), 414, {}),
        (request("/echo", "X: " + "x" * 10_000), 431, {}),
        (request("/echo", *(f"X-{n}: y" for n in range(200))), 431, {}),
        (request().replace(b"\r\n", b"\n"), 400, {}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400, {}),
        (b"\n", 400, {}),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, bytes) else "",
)
def test_a_bad_request_is_refused_in_http(octets: bytes, status: int, fields: dict[str, str], port: int) -> None:
    line, found, body = answer_to(port, octets)
    assert line.startswith(f"HTTP/1.1 {status} ")
    assert {name: found.get(name) for name in fields} == fields
    assert "close" in found["connection"]
    assert "sec-websocket-accept" not in found
    if octets.startswith(b"HEAD"):
        assert body == b""
    else:
        assert len(body) == int(found["content-length"])
        assert body.endswith(b".\n")
        assert body.count(b"\n") == 1


@pytest.mark.parametrize(
    "octets",
    [
        request("http://server.example.com/echo"),
        request("/%65cho"),
        request("/echo?after=5&code=4000&ping=100&keepalive=60&backlog=1000"),
        request().replace(b"Upgrade: websocket", b"UPGRADE:WebSocket\t"),
        request().replace(b"Upgrade: websocket", b"Upgrade: h2c, websocket"),
        request().replace(b"Connection: Upgrade", b"connection: keep-alive, ,upgrade"),
        request().replace(b"Connection: Upgrade", b"Connection: keep-alive\r\nConnection: UPGRADE"),
        request("/echo", "Host: [2001:db8::1]:80", without="Host"),
        request("/echo", "Origin: null", "Cookie: a=b", "X-\xe9: \xe9".replace("-\xe9", "-e")),
        request("/echo", "Content-Length: 0"),
        request("/echo", 'Sec-WebSocket-Extensions: x; y="z", permessage-deflate; client_max_window_bits'),
        request("/echo", "Sec-WebSocket-Extensions: a", "Sec-WebSocket-Extensions: b"),
        b"\r\n".join([(lines := request().split(b"\r\n"))[0], *reversed(lines[1:-2]), b"", b""]),
    ],
    ids=repr,
)
def test_a_good_request_in_another_form_is_taken(octets: bytes, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        for octet in octets:
            client.sendall(bytes([octet]))
        status, fields = head(client)
        assert status.startswith("HTTP/1.1 101 ")
        assert fields == {
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        }
        client.sendall(HELLO)
        exactly(client, b"\x81\x05Hello")


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        ((), None),
        (("soap",), None),
        (("soap, json.lab", "chat.lab"), "json.lab"),
        (("CHAT.LAB",), None),
        (("chat.lab, echo.lab",), "chat.lab"),
    ],
)
def test_a_subprotocol_is_one_of_those_offered(offers: tuple[str, ...], chosen: str | None, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(request("/echo", *(f"Sec-WebSocket-Protocol: {offer}" for offer in offers)))
        status, fields = head(client)
        assert (status[9:12], fields.get("sec-websocket-protocol")) == ("101", chosen)


def test_nothing_is_answered_ahead_of_the_101(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(request() + frame(0x89, b"early") + HELLO + frame(0x88))
        assert head(client)[0].startswith("HTTP/1.1 101 ")
        assert everything(client).startswith(b"\x8a\x05early")


def test_a_bad_frame_right_behind_the_request(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(request() + frame(0x83, b"") + PING)
        assert head(client)[0].startswith("HTTP/1.1 101 ")
        assert everything(client)[2:4] == b"\x03\xea"


TEXT = "κόσμε".encode()


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        *((bytes([first]) + HELLO[1:], 1002) for first in (0x91, 0xA1, 0xC1, 0xF1)),
        *((frame(0x80 | opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        (frame(0xC9, b"x"), 1002),
        (frame(0x81, b"x", masked=False), 1002),
        (frame(0x89, b"x", masked=False), 1002),
        (frame(0x88, b"\x03\xe8", masked=False), 1002),
        (frame(0x09, b"x"), 1002),
        (frame(0x0A), 1002),
        (frame(0x08), 1002),
        (frame(0x89, bytes(126)), 1002),
        (frame(0x8A, bytes(65536)), 1002),
        (b"\x89\xfe", 1002),  # of its header alone: the length is announced to be more than 125
        (b"\x82\xfe\x00\x7d\0\0\0\0", 1002),
        (b"\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\0\0\0\0", 1002),
        (b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x01", 1002),
        (b"\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00\0\0\0\0", 1009),
        (frame(0x82, announced=(1 << 20) + 1), 1009),
        (frame(0x02, b"x") + frame(0x80, announced=1 << 20), 1009),
        (frame(0x80, b"x"), 1002),
        (frame(0x00, b"x"), 1002),
        (frame(0x01, b"x") + frame(0x81, b"y"), 1002),
        (frame(0x01, b"x") + frame(0x02, b"y"), 1002),
        (frame(0x88, b"\x03"), 1002),
        *(
            (frame(0x88, code.to_bytes(2, "big")), 1002)
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)
        ),
        (frame(0x88, b"\x03\xe8\xc0\xaf"), 1007),
        (frame(0x88, b"\x03\xe8" + bytes(124)), 1002),
        (frame(0x81, TEXT[:-1]), 1007),
        (frame(0x81, b"\xed\xa0\x80"), 1007),
        (frame(0x81, b"\xf4\x90\x80\x80"), 1007),
        (frame(0x81, b"\xc0\x80"), 1007),
        (frame(0x01, TEXT[:3]) + frame(0x00, b"\xff"), 1007),  # before the message ends
        (frame(0x01, TEXT[:1]) + frame(0x89) + frame(0x80, b""), 1007),
    ],
    ids=lambda value: value[:24].hex() if isinstance(value, bytes) else str(value),
)
def test_a_bad_frame_fails_the_connection(octets: bytes, code: int, served: Agent, port: int) -> None:
    with opened(port) as client:
        # §7.1.7: of what comes behind it nothing is done.
        client.sendall(octets + (HELLO + PING + frame(0x88, b"\x03\xe8") if len(octets) > 2 else b""))
        heard = everything(client)
        while heard.startswith(b"\x8a\x00"):
            heard = heard[2:]  # the Pong for a good Ping in front of it
        assert heard[:1] == b"\x88"
        assert heard[1] == len(heard) - 2
        assert heard[2:4] == code.to_bytes(2, "big")
        client.shutdown(socket.SHUT_WR)
        program = served.program("ipv4", client.getsockname()[:2])
        assert (program.code, program.messages) == (1006, 0)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999])
def test_a_close_is_answered_with_its_code(code: int, served: Agent, port: int) -> None:
    body = code.to_bytes(2, "big") + "später".encode()
    with opened(port) as client:
        client.sendall(frame(0x88, body) + HELLO + PING)
        assert everything(client) == b"\x88" + bytes([len(body)]) + body
        client.sendall(HELLO)
        client.shutdown(socket.SHUT_WR)
        program = served.program("ipv4", client.getsockname()[:2])
        assert (program.code, program.reason, program.messages) == (code, "später", 0)


def test_a_close_between_fragments(served: Agent, port: int) -> None:
    with opened(port) as client:
        client.sendall(frame(0x01, b"never fin") + frame(0x88, b"\x03\xe9"))
        assert everything(client) == b"\x88\x02\x03\xe9"
        client.shutdown(socket.SHUT_WR)
        assert served.program("ipv4", client.getsockname()[:2]).code == 1001


def test_good_frames_of_every_kind(port: int) -> None:
    with opened(port) as client:
        client.sendall(frame(0x01) + frame(0x00, TEXT[:1]) + frame(0x89, b"\0" * 125) + frame(0x8A, b"unasked"))
        exactly(client, b"\x8a\x7d" + b"\0" * 125)
        client.sendall(frame(0x00) + frame(0x80, TEXT[1:]) + frame(0x02, b"\xff") + frame(0x80, b"\xfe"))
        exactly(client, b"\x81" + bytes([len(TEXT)]) + TEXT + b"\x82\x02\xff\xfe")
        for size, header in ((125, "827d"), (126, "827e007e"), (65535, "827effff"), (65536, "827f0000000000010000")):
            client.sendall(frame(0x82, bytes(size)))
            exactly(client, bytes.fromhex(header) + bytes(size))
        for octet in HELLO:
            client.sendall(bytes([octet]))
        exactly(client, b"\x81\x05Hello")


def test_the_program_closes_after_as_many_messages_as_asked_for(served: Agent, port: int) -> None:
    with opened(port, "/echo?after=1&code=4000") as client:
        client.sendall(HELLO)
        exactly(client, b"\x81\x05Hello\x88\x13\x0f\xa0that was the last")
        client.sendall(frame(0x81, b"ignored") + frame(0x88, b"\x0f\xa1"))
        assert client.recv(1) == b""
        client.shutdown(socket.SHUT_WR)
        program = served.program("ipv4", client.getsockname()[:2])
        assert (program.code, program.messages) == (4001, 1)


@pytest.mark.parametrize("fin", [False, True])
def test_what_came_before_a_close_is_answered_before_it(fin: bool, served: Agent, port: int) -> None:
    long = bytes(1 << 20)
    with opened(port) as client:
        client.sendall(HELLO + frame(0x82, long) + HELLO + PING + frame(0x88, b"\x03\xe8") + HELLO + PING)
        if fin:
            client.shutdown(socket.SHUT_WR)
        heard = everything(client)
        pong = heard.index(b"\x8a\x04late")
        heard = heard[:pong] + heard[pong + 6 :]  # a Pong may come between
        assert (
            heard == b"\x81\x05Hello\x82\x7f" + len(long).to_bytes(8, "big") + long + b"\x81\x05Hello\x88\x02\x03\xe8"
        )
        client.close() if fin else client.shutdown(socket.SHUT_WR)


def test_a_close_is_answered_though_the_program_says_nothing(port: int) -> None:
    with opened(port, "/score") as client:
        client.sendall(HELLO + frame(0x88))
        assert everything(client).endswith(b"\x88\x00")


def test_the_head_may_come_in_any_pieces_but_not_for_ever(port: int) -> None:
    assert HEAD.startswith("GET")
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"GET /echo HTTP/1.1\r\nX: ")
        client.sendall(b"y" * 9000)
        assert head(client)[0].startswith("HTTP/1.1 431 ")
