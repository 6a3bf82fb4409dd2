"""The control protocol as data: what is taken, what is refused, and that nothing else ever happens."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.server import protocol
from lab.server.protocol import CallError, ErrorKind


def parsed(line: bytes) -> protocol.Request | CallError:
    try:
        return protocol.parse_request(protocol.decode(line))
    except CallError as error:
        return error


def refused(line: bytes) -> ErrorKind:
    with pytest.raises(CallError) as caught:
        protocol.parse_request(protocol.decode(line))
    assert caught.value.message
    return caught.value.kind


def test_a_request_gets_its_defaults() -> None:
    request = protocol.parse_request(protocol.decode(b'{"id":7,"call":"listen","family":"ipv6"}'))
    assert (request.id, request.call) == (7, "listen")
    assert request.arguments == {"family": "ipv6", "port": 0, "backlog": 16, "options": {}}


def test_octets_travel_as_base64() -> None:
    request = protocol.parse_request(
        protocol.decode(b'{"id":0,"call":"send","socket":1,"data":"AP8K","timeout":0.5}'),
    )
    assert request.arguments["data"] == b"\x00\xff\n"
    assert protocol.octets(b"\x00\xff\n") == "AP8K"


def test_an_answer_is_one_line_whatever_is_in_it() -> None:
    line = protocol.ok(3, {"text": "two\nlines \u2028 \ud800"})
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line) == {"id": 3, "ok": {"text": "two\nlines \u2028 \ud800"}}


def test_an_error_names_kind_errno_and_reason() -> None:
    error = CallError.of(ConnectionResetError(104, "Connection reset by peer"))
    assert json.loads(protocol.failure(9, error)) == {
        "id": 9,
        "error": {"kind": "os", "errno": "ECONNRESET", "message": "Connection reset by peer"},
    }


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b"[]",
        b"7",
        b"{}",
        b'{"id":1}',
        b'{"id":true,"call":"ping"}',
        b'{"id":-1,"call":"ping"}',
        b'{"id":1.5,"call":"ping"}',
        b'{"id":1,"call":7}',
        b"[" * 200_000,
        b'{"id":' + b"9" * 5000 + b',"call":"ping"}',
        b"GET / HTTP/1.1\r",
    ],
)
def test_what_is_no_request_is_malformed(line: bytes) -> None:
    assert refused(line) == ErrorKind.MALFORMED


def test_a_call_that_is_not_there_is_unknown() -> None:
    assert refused(b'{"id":1,"call":"reboot"}') == ErrorKind.UNKNOWN


@pytest.mark.parametrize(
    "arguments",
    [
        {"call": "listen"},
        {"call": "listen", "family": "ipv5"},
        {"call": "listen", "family": ["ipv4"]},
        {"call": "listen", "family": "ipv4", "port": 65536},
        {"call": "listen", "family": "ipv4", "port": True},
        {"call": "listen", "family": "ipv4", "extra": 1},
        {"call": "listen", "family": "ipv4", "options": {"TCP_NODELAY": 1.5}},
        {"call": "connect", "family": "ipv4", "address": "example.org", "port": 1},
        {"call": "accept", "socket": 1, "timeout": -1},
        {"call": "accept", "socket": 1, "timeout": float("nan")},
        {"call": "accept", "socket": 1, "timeout": float("inf")},
        {"call": "accept", "socket": "1", "timeout": 1},
        {"call": "send", "socket": 1, "data": "%%%", "timeout": 1},
        {"call": "send", "socket": 1, "data": "é", "timeout": 1},
        {"call": "receive", "socket": 1, "size": 0, "timeout": 1},
        {"call": "receive", "socket": 1, "size": 1 << 30, "timeout": 1},
        {"call": "shutdown", "socket": 1, "how": "now"},
        {"call": "set", "socket": 1, "option": "TCP_NODELAY", "value": None},
        {"call": "state", "family": "ipv4", "local": ["127.0.0.1"], "remote": ["127.0.0.1", 1]},
        {"call": "state", "family": "ipv4", "local": ["127.0.0.1", -1], "remote": ["127.0.0.1", 1]},
        {"call": "state", "family": "ipv4", "local": ["127.0.0.1", 1], "remote": ["127.0.0.1", 1], "info": "yes"},
    ],
)
def test_what_a_call_cannot_take_is_refused(arguments: dict[str, object]) -> None:
    assert refused(json.dumps({"id": 1, **arguments}).encode()) == ErrorKind.ARGUMENT


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(["ipv4", "AAAA"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted({argument.name for arguments in protocol.CALLS.values() for argument in arguments})


@settings(deadline=None)
@given(
    call=st.sampled_from(sorted(protocol.CALLS)) | ANYTHING,
    arguments=st.dictionaries(st.sampled_from([*NAMES, "id", "other"]), ANYTHING, max_size=6),
)
def test_no_message_raises_anything_else(call: object, arguments: dict[str, object]) -> None:
    outcome = parsed(protocol.encode({"id": 1, "call": call, **arguments}))
    if isinstance(outcome, CallError):
        assert outcome.kind in {ErrorKind.MALFORMED, ErrorKind.UNKNOWN, ErrorKind.ARGUMENT}
        assert len(outcome.message) < 400
    else:
        assert set(outcome.arguments) == {argument.name for argument in protocol.CALLS[outcome.call]}


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_octets_raise_anything_else(line: bytes) -> None:
    assert isinstance(parsed(line), protocol.Request | CallError)
