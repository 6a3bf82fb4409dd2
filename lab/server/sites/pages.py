"""The resources of the WebSocket service, as data, and how a request's target names one. Imports no library."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LONGEST_NAME: Final = 64
"""Characters in the name of a room, field or document."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number in the query, such as `every=0.5`."""

    name: str
    low: float
    high: float
    text: str
    default: float | None = None
    whole: bool = False
    """Whether it must be a whole number."""

    @property
    def shown(self) -> str:
        """As the help has it: `every=1`, or `after=N` where there is no default."""
        return f"{self.name}=N" if self.default is None else f"{self.name}={self.default:.7g}"


@dataclass(frozen=True, slots=True)
class Page:
    """One resource: its path, what its name stands for where it has one, its parameters, what it does."""

    path: str
    """The first segment of its path."""
    text: str
    named: str = ""
    """What the second segment names ("ROOM"); empty: there is none."""
    parameters: tuple[Parameter, ...] = ()
    sent: tuple[str, ...] = ()
    """The JSON that it takes."""
    origin: str = ""
    """The one Origin that a browser's request may have (RFC 6455 §10.2); empty: any."""

    @property
    def shown(self) -> str:
        """Its path as the help has it: `/chat/ROOM`."""
        return f"/{self.path}/{self.named}" if self.named else f"/{self.path}"


EVERYWHERE: Final = (
    Parameter("after", 0, 1e9, "close when the client has sent N messages", whole=True),
    Parameter("code", 1000, 4999, "close with this code then", 1000, whole=True),
    Parameter("ping", 0.01, 3600, "send a Ping every N seconds, and drop a client whose Pong takes longer"),
    Parameter("keepalive", 1, 3600, "TCP keep-alive: probe after N idle seconds and every N, twice", whole=True),
    Parameter("backlog", 0, 1 << 30, "octets that may wait for a subscriber that does not read", 262_144, whole=True),
)
"""Parameters that every resource takes."""

_PAD: Final = Parameter("pad", 0, 65536, "octets of filler in each message", 0, whole=True)


def _every(seconds: float) -> Parameter:
    return Parameter("every", 0.01, 3600, "seconds between two messages", seconds)


PAGES: Final[tuple[Page, ...]] = (
    Page("echo", "sends back each message that it is sent, of the same type"),
    Page("members", "echoes, too, but refuses browsers that come from elsewhere", origin="http://lab.example"),
    Page(
        "chat",
        "what one says goes to all who have opened the room, or to one of them",
        "ROOM",
        sent=('{"type":"say","text":…}', '{"type":"tell","to":NAME,"text":…}', '{"type":"name","name":…}'),
    ),
    Page(
        "game",
        "each move brings all players the state of the field",
        "FIELD",
        sent=('{"type":"move","dx":-1…1,"dy":-1…1}',),
    ),
    Page(
        "edit",
        "several writers of one text, whose edits all see in one order",
        "DOC",
        sent=('{"type":"edit","base":REVISION,"at":…,"delete":COUNT,"insert":TEXT}',),
    ),
    Page("ticker", "prices, pushed unasked: the present ones first, then each that moves", "", (_every(1.0), _PAD)),
    Page("score", "the score of a match first, then each goal", "", (_every(2.0), _PAD)),
    Page("map", "where three vehicles are first, then each move", "", (_every(0.5), _PAD)),
)
"""Every resource."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a resource."""

    page: Page
    target: str
    """As the request had it."""
    name: str = ""
    """The room, field or document."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """The parameters given in the query, and the defaults of the others that have one."""


class NoSuchPage(Exception):
    """No resource has that path: one sentence."""


class WrongQuery(Exception):
    """The target cannot be read, or a parameter is unknown or out of its range: one sentence."""


def find(target: str) -> Visit:
    """The resource that a request's target names: a path with its query, or a whole http(s) URI (RFC 6455 §4.1 item 3).

    Raises NoSuchPage or WrongQuery.
    """
    from urllib.parse import unquote, urlsplit  # the help goes without it

    # A fragment is never sent (RFC 6455 §3).
    if not target.isascii() or not target.isprintable() or " " in target or "#" in target:
        raise WrongQuery("the request's target is no path")
    try:
        parts = urlsplit(target if not target.startswith("/") else f"http://lab{target}")
        path = [unquote(segment, errors="strict") for segment in parts.path.split("/")]
    except ValueError:
        raise WrongQuery("the request's target is no path") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise WrongQuery("the request's target is no path")
    for page in PAGES:
        if path[1:2] == [page.path] and len(path) == (3 if page.named else 2):
            name = path[2] if page.named else ""
            if page.named and not 0 < len(name) <= LONGEST_NAME:
                raise NoSuchPage(f"{page.shown} needs a name of at most {LONGEST_NAME} characters")
            return Visit(page, target, name, _numbers(page, parts.query))
    raise NoSuchPage("there is no such path; there are " + ", ".join(page.shown for page in PAGES))


def _numbers(page: Page, query: str) -> dict[str, float]:
    from urllib.parse import parse_qsl

    known = {each.name: each for each in (*page.parameters, *EVERYWHERE)}
    found = {name: each.default for name, each in known.items() if each.default is not None}
    try:
        given = parse_qsl(query, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise WrongQuery("the query has too many fields") from None
    for name, text in given:
        parameter = known.get(name)
        if parameter is None:
            raise WrongQuery(f"{page.shown} takes no {name[:20]!r}; it takes {', '.join(known)}")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not parameter.low <= value <= parameter.high or (parameter.whole and value != int(value)):
            kind = "a whole number" if parameter.whole else "a number"
            raise WrongQuery(f"{name} must be {kind} from {parameter.low:g} to {parameter.high:g}")
        if name == "code" and (1004 <= value <= 1006 or 1014 < value < 3000):
            raise WrongQuery(f"{value:.0f} is no code that a Close may carry")
        found[name] = value
    return found
