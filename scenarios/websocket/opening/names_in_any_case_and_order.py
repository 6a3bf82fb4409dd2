from collections.abc import Callable
from dataclasses import replace

from lab.scenario import Peer, Server, scenario

Fields = tuple[tuple[str, str], ...]

WAYS: dict[str, Callable[[Fields], Fields]] = {
    "names in lower case": lambda fields: tuple((name.lower(), value) for name, value in fields),
    "names in capitals": lambda fields: tuple((name.upper(), value) for name, value in fields),
    "the last field first": lambda fields: fields[::-1],
    "Upgrade: WEBSOCKET": lambda fields: _with(fields, "Upgrade", "WEBSOCKET"),
    "Connection: keep-alive, UPGRADE": lambda fields: _with(fields, "Connection", "keep-alive, UPGRADE"),
    "fields that nobody knows": lambda fields: (
        ("X-Nobody-Knows-This", "at all"),
        *fields,
        ("Cookie", "a=1; b=2"),
        ("User-Agent", "by hand"),
        ("X-Empty", ""),
    ),
}


def _with(fields: Fields, name: str, value: str) -> Fields:
    return tuple((each, value if each == name else old) for each, old in fields)


@scenario(
    "Names and tokens in any case, fields in any order",
    documents=["RFC 6455 §4.2.1"],
    evidence_for=[
        "6455-4.2.1-order",
        "6455-4.2.1-optional",
        "6455-4.2.1-upgrade",
        "6455-4.2.1-connection",
        "6455-4.1-req-upgrade",
        "6455-4.1-req-connection",
        "6455-4.1-req-other",
    ],
    needs="websocket",
)
def names_in_any_case_and_order(peer: Peer, server: Server) -> None:
    """HTTP does not look at the case of a field's name or at the order of fields, and Connection is a list.

    What a server does not know it ignores, so that a browser may send its cookies along.
    """
    site = server.websocket()
    for number, (way, change) in enumerate(WAYS.items()):
        ws = (peer.another() if number else peer).websocket(site)
        peer.say(way)
        request = ws.upgrade()
        ws.request(replace(request, headers=change(request.headers)))
        ws.expect_response(101)
        ws.leave()
