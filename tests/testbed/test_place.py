"""HOST:PORT and ws:// addresses, as users write them."""

from __future__ import annotations

import pytest

from lab.testbed.place import Place, place_of


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("192.0.2.1:80", Place("192.0.2.1", 80)),
        ("[2001:db8::1]:8080", Place("2001:db8::1", 8080)),
        ("server:7007", Place("server", 7007)),
        ("ws://192.0.2.1:8080/chat/room", Place("192.0.2.1", 8080, "/chat/room")),
        ("WS://server", Place("server", 80, "/")),
        ("ws://server?token=1", Place("server", 80, "/?token=1")),
        ("ws://[2001:db8::1]/a?b=c%23", Place("2001:db8::1", 80, "/a?b=c%23")),
        ("ws://10.0.0.1:/echo", Place("10.0.0.1", 80, "/echo")),
        ("ws://[2001:db8::1]:/", Place("2001:db8::1", 80, "/")),
        ("ws://[2001:db8::1]:9000", Place("2001:db8::1", 9000, "/")),
    ],
)
def test_a_place_is_taken_apart(text: str, place: Place) -> None:
    assert place_of(text) == place


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("server", "server is not HOST:PORT"),
        (":80", "is not HOST:PORT"),
        ("server:0", "is not HOST:PORT"),
        ("server:65536", "is not HOST:PORT"),
        ("2001:db8::1:80", r"write an IPv6 address in brackets: \[2001:db8::1\]:80"),
        ("http://server/", "is neither HOST:PORT nor ws://HOST:PORT/PATH"),
        ("wss://server/", "TLS"),
        ("ws://server/#top", "has a fragment"),
        ("ws://server/a b", "as %XX"),
        ("ws://server/ä", "as %XX"),
        ("ws://u:secret@10.0.0.1/", "names no user and password"),
        ("ws://10.0.0.1:abc/", "ws://10.0.0.1:abc/ is not HOST:PORT"),
        ("ws:///path", "is not HOST:PORT"),
        ("ws://server:99999/", "is not HOST:PORT"),
    ],
)
def test_what_is_no_place_is_a_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        place_of(text)
