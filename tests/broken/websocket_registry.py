"""What it is to be a broken WebSocket server, and the list of all that are: `BREAKAGES` and `HONEST`, by name.

The classes are in websocket_broken_*.py; websocket_breakages.py gathers them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from websocket_raw import Honest


@dataclass(frozen=True)
class Breakage:
    """One way to be broken."""

    name: str
    text: str
    """One sentence: what this server does wrong."""
    section: str
    """Where RFC 6455 forbids it."""
    fields: tuple[str, ...]
    """What a good complaint about it names, one of these."""
    caught_by: tuple[str, ...]
    """Scenarios that notice, by the stems of their files; not all of them."""
    rules: type[Honest]


@dataclass(frozen=True)
class Habit:
    """One way to be honest."""

    name: str
    text: str
    rules: type[Honest]


BREAKAGES: dict[str, Breakage] = {}
"""All breakages by name. `websocket_servers.broken_<name>` serves one."""
HONEST: dict[str, Habit] = {}
"""All honest servers by name. `websocket_servers.<name>` serves one."""


def broken(section: str, *fields: str, caught_by: str = "") -> Callable[[type[Honest]], type[Honest]]:
    """Enter a class into BREAKAGES, under its name, with its docstring as the text."""

    def enter(rules: type[Honest]) -> type[Honest]:
        name, text = rules.__name__, (rules.__doc__ or "").strip()
        assert name not in BREAKAGES
        assert text
        BREAKAGES[name] = Breakage(name, text, section, fields, tuple(caught_by.split()), rules)
        return rules

    return enter


def honest(rules: type[Honest]) -> type[Honest]:
    """Enter a class into HONEST, under its name."""
    HONEST[rules.__name__] = Habit(rules.__name__, (rules.__doc__ or "").strip(), rules)
    return rules
