"""What a scenario is: a function with a title, the documents it rests on and the requirements it is evidence for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

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
    needs_agent: bool = True
    """False where a listening server is enough, told nothing and asked nothing."""
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
        return self.path.read_text(encoding="utf-8")


def scenario(
    title: str,
    *,
    documents: Sequence[str],
    evidence_for: Sequence[str] = (),
    slow: bool = False,
    takes: float = 0.0,
    needs_agent: bool = True,
) -> Callable[[F], F]:
    """Declare the function below as a scenario.

    `title` is one line without a full stop; `documents` name sections or figures; `takes` is the number of seconds
    that its timers need. With `needs_agent=False` it is played against unmodified targets too: it may then only ask
    the server to listen, to be in a state, and to accept.
    """

    def declare(function: F) -> F:
        declared = Scenario(
            function=function,
            title=title,
            documents=tuple(documents),
            evidence_for=tuple(evidence_for),
            slow=slow,
            takes=takes,
            needs_agent=needs_agent,
            path=Path(function.__code__.co_filename),
            line=function.__code__.co_firstlineno,
        )
        function.__scenario__ = declared  # type: ignore[attr-defined]
        return function

    return declare
