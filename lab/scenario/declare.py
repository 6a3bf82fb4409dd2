"""What a scenario is: a function with a title, the documents it rests on and the requirements it is evidence for."""

from __future__ import annotations

import importlib.util
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lab.scenario.errors import UsageError
from lab.scenario.needs import Needs

if TYPE_CHECKING:
    from lab.scenario.peer import Peer
    from lab.scenario.server import Server

Script = Callable[["Peer", "Server"], None]
F = TypeVar("F", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario, as its file declares it."""

    function: Script
    title: str
    documents: tuple[str, ...]
    """For example "RFC 9293 §3.5 figure 6"."""
    evidence_for: tuple[str, ...] = ()
    """Ids of the requirement tables."""
    slow: bool = False
    """Takes tens of seconds or more; run only when asked for."""
    takes: float = 0.0
    """Seconds that its timers need at least: the longest are started first."""
    needs: Needs = Needs.AGENT
    """What it asks of the server."""
    name: str = ""
    """`folder/file`, set when it is found."""
    path: Path = field(default=Path())
    line: int = 0

    @property
    def description(self) -> str:
        """The story in the script's own words: its docstring."""
        return inspect.getdoc(self.function) or ""

    @property
    def source(self) -> str:
        """The whole file."""
        return importlib.util.decode_source(self.path.read_bytes())


def scenario(
    title: str,
    *,
    documents: Sequence[str],
    evidence_for: Sequence[str] = (),
    slow: bool = False,
    takes: float = 0.0,
    needs: str = "agent",
) -> Callable[[F], F]:
    """Declare the function below as a scenario.

    `title` is one line without a full stop; `documents` name sections or figures; `takes` is the number of seconds
    that its timers need. `needs` says what it asks of the server (`lab.scenario.needs.Needs`): "agent", a program that
    does what the script says; "listener", any TCP server (the script may then only ask it to listen, to be in a state,
    and to accept); "websocket", any WebSocket server; "echo", one that echoes; "services", the lab's own test server.

    Raises UsageError where one of them is of another kind.
    """
    if not isinstance(title, str) or not title.strip():
        raise UsageError(f"title is one line of text, not {title!r}")
    sections = _texts("documents", documents, "RFC 9293 §3.5")
    evidence = _texts("evidence_for", evidence_for, "MUST-13")
    if not isinstance(takes, int | float) or not math.isfinite(takes) or takes < 0:
        raise UsageError(f"takes is a number of seconds, not {takes!r}")
    if needs not in tuple(Needs):
        raise UsageError(f"needs is one of {', '.join(Needs)}, not {needs!r}")

    def declare(function: F) -> F:
        declared = Scenario(
            function=function,
            title=title,
            documents=sections,
            evidence_for=evidence,
            slow=slow,
            takes=takes,
            needs=Needs(needs),
            path=Path(function.__code__.co_filename),
            line=function.__code__.co_firstlineno,
        )
        function.__scenario__ = declared  # type: ignore[attr-defined]
        return function

    return declare


def _texts(name: str, given: object, example: str) -> tuple[str, ...]:
    """Texts of a list. A text alone is a sequence of texts as well, of one letter each."""
    if isinstance(given, str):
        raise UsageError(f"{name} is a list: write {name}=[{given!r}]")
    if not isinstance(given, Sequence) or not all(isinstance(one, str) for one in given):
        raise UsageError(f'{name} is a list of texts such as ["{example}"], not {given!r}')
    return tuple(given)
