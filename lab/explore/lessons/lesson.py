"""A lesson as data: its steps, what fulfils each, and its texts in one language, read from TOML."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import Any

from lab.explore.lessons import NAMES
from lab.scenario.errors import LabError, UsageError
from lab.tcp.state import State

PLACEHOLDERS = frozenset(
    [
        *("x", "y", "lab", "server", "seq", "ack", "sent", "got", "got_seq", "got_ack", "got_text"),
        *("snd_nxt", "rcv_nxt", "snd_nxt_absolute", "rcv_nxt_absolute"),
        *("tcp_header", "number", "frame_length", "connection"),
        *("name", "step", "steps", "type", "why", "rule", "ask", "said", "message", "state"),
    ]
)
"""What stands in braces in a text, and is filled in from what happened (`lab.explore.lessons.occasion.values`)."""


class LessonError(LabError):
    """A lesson's file is not as it should be: the sentence names the file and the key."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a segment has to look like; None for what does not matter."""

    by: str | None = None
    """ "lab" or "server", where both are possible."""
    flags: str | None = None
    """Letters as Scapy writes them; PSH, ECE and CWR do not matter."""
    seq: int | str | None = None
    """Counted from the sender's SYN, or "low", "right", "high": against what it should have sent."""
    ack: int | str | None = None
    text: bool | None = None
    """Whether it carries any."""
    old: bool = False
    """Whether it is an old duplicate, which our end did not send now."""


@dataclass(frozen=True, slots=True)
class FrameShape:
    """What a WebSocket frame has to look like (RFC 6455 §5.2)."""

    by: str
    opcode: str
    """ "TEXT", "BINARY", "CLOSE", "PING", "PONG"."""
    masked: bool | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to have happened: all that is said here."""

    sends: Shape | None = None
    gets: Shape | None = None
    lab: tuple[State, ...] = ()
    """States in which our end may be afterwards; any, where none is named."""
    server: tuple[State, ...] = ()
    record: str = ""
    """How a call of the server's program, or a check, begins in the record."""
    web: str = ""
    """The state of the WebSocket connection afterwards."""
    paths: tuple[str, ...] = ()
    """WebSocket resources, of which it must be one."""
    frames: tuple[FrameShape, ...] = ()
    looks: str = ""
    """A command that looks."""
    of: Shape | None = None
    """Which packet `layers` has to show."""
    refused: str = ""
    """A command that could not be done."""
    answer: tuple[str, ...] = ()
    """What is taken for an answer, beside the words of the texts; braces are filled in."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a step may end."""

    id: str
    when: Condition
    then: str = ""
    """The step that follows, where it is not the next one."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a lesson."""

    id: str
    types: tuple[str, ...]
    """What fulfils it, as it is typed."""
    fulfilled: tuple[Way, ...]
    wrong: tuple[Way, ...] = ()
    begins: tuple[str, ...] | None = None
    """A part begins here, on a connection of its own: what the lesson types first."""
    lab: tuple[State, ...] = ()
    """Where our end has to stand for it to be possible; anywhere, where nothing is said."""
    server: tuple[State, ...] = ()
    web: str = ""
    """Where the WebSocket connection has to stand, where there is one; "" anywhere."""
    auto: bool = False
    """Whether the model acknowledges for the person meanwhile."""

    @property
    def question(self) -> bool:
        """Whether it asks for a word."""
        return any(way.when.answer for way in self.fulfilled)

    @property
    def acts(self) -> bool:
        """Whether it changes where the connection stands."""
        return not any(way.when.answer or way.when.looks or way.when.refused for way in self.fulfilled)


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one lesson in one language, the common ones below them."""

    language: str
    own: dict[str, str] = field(default_factory=dict)
    """By key: "title", "ask.syn", "wrong.ack.low" …"""
    hints: dict[str, tuple[str, ...]] = field(default_factory=dict)
    answers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By step: words that are taken for the right answer; "step.ID" for an instructive wrong one."""
    states: dict[str, str] = field(default_factory=dict)
    whys: tuple[tuple[re.Pattern[str], str], ...] = ()

    def why(self, english: str) -> str:
        """A sentence of the model in this language; as it is where there is no translation of it."""
        for pattern, words in self.whys:
            if found := pattern.fullmatch(english):
                return words.format(*found.groups())
        return english


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson in one language."""

    name: str
    stages: tuple[Stage, ...]
    texts: Texts
    documents: tuple[str, ...] = ()


def known(name: str) -> str:
    """The name, if it is a lesson's. Raises UsageError with what may have been meant."""
    if name in NAMES:
        return name
    import difflib

    close = difflib.get_close_matches(name.lower().replace("_", "-"), NAMES, n=1, cutoff=0.5)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(NAMES)}"
    raise UsageError(f"--lesson: there is no lesson {name}: {meant}")


@cache
def load(name: str, language: str) -> Lesson:
    """Read a lesson. Raises LessonError where a file is not as it should be."""
    structure = _toml(f"{name}.toml")
    at = f"{name}.toml"
    _only(structure, {"documents", "step"}, at)
    stages = tuple(_stage(table, f"{at}: step {i}") for i, table in enumerate(structure.get("step", []), 1))
    if not stages or stages[0].begins is None:
        raise LessonError(f"lesson {at}: the first step has to begin a part: begins = []")
    ids = [stage.id for stage in stages]
    if len(set(ids)) != len(ids):
        raise LessonError(f"lesson {at}: two steps have the same id")
    for stage in stages:
        for way in stage.fulfilled:
            if way.then and way.then not in ids:
                raise LessonError(f"lesson {at}: step {stage.id}: there is no step {way.then} to go on with")
    return Lesson(name, stages, _texts(name, language, stages), tuple(structure.get("documents", ())))


def titles(language: str) -> dict[str, str]:
    """What each lesson is called."""
    return {name: str(_toml(f"{language}/{name}.toml")["title"]) for name in NAMES}


# Structure


def _stage(table: dict[str, Any], at: str) -> Stage:
    _only(table, {"id", "types", "begins", "lab", "server", "web", "auto", "fulfilled", "wrong"}, at)
    for key in ("id", "types", "fulfilled"):
        if not table.get(key):
            raise LessonError(f"lesson {at}: {key} is missing")
    return Stage(
        id=table["id"],
        types=tuple(table["types"]),
        fulfilled=tuple(_way(one, at) for one in table["fulfilled"]),
        wrong=tuple(_way(one, at, named=True) for one in table.get("wrong", ())),
        begins=tuple(table["begins"]) if "begins" in table else None,
        lab=_states(table.get("lab"), at),
        server=_states(table.get("server"), at),
        web=table.get("web", ""),
        auto=bool(table.get("auto", False)),
    )


def _way(table: dict[str, Any], at: str, *, named: bool = False) -> Way:
    rest = dict(table)
    name, then = rest.pop("id", ""), rest.pop("then", "")
    if named and not name:
        raise LessonError(f"lesson {at}: what is wrong needs an id, for its text")
    _only(rest, {f.name for f in fields(Condition)}, f"{at} {name}".rstrip())
    if not rest:
        raise LessonError(f"lesson {at}: {name or 'fulfilled'} holds whatever happens")
    for key in ("sends", "gets", "of"):
        if key in rest:
            rest[key] = _shape(Shape, rest[key], f"{at}: {key}")
    if "frames" in rest:
        rest["frames"] = tuple(_shape(FrameShape, one, f"{at}: frames") for one in rest["frames"])
    for key in ("lab", "server"):
        if key in rest:
            rest[key] = _states(rest[key], at)
    for key in ("answer", "paths"):
        if key in rest:
            rest[key] = tuple(rest[key])
    return Way(name, Condition(**rest), then)


def _shape(kind: type[Any], table: dict[str, Any], at: str) -> Any:
    _only(table, {f.name for f in fields(kind)}, at)
    return kind(**table)


def _states(value: str | list[str] | None, at: str) -> tuple[State, ...]:
    names = [] if value is None else [value] if isinstance(value, str) else value
    try:
        return tuple(State(name) for name in names)
    except ValueError as error:
        raise LessonError(f"lesson {at}: {error}") from None


def _only(table: dict[str, Any], keys: set[str], at: str) -> None:
    if wrong := sorted(set(table) - keys):
        raise LessonError(f"lesson {at}: there is no key {wrong[0]} here, there are {', '.join(sorted(keys))}")


# Texts

ORIGINAL = "en"
"""The language whose answers are taken in every other: the terms of the field are English."""


def _texts(name: str, language: str, stages: tuple[Stage, ...]) -> Texts:
    at = f"{language}/{name}.toml"
    table, common = _toml(at), _toml(f"{language}/common.toml")
    own: dict[str, str] = {key: _joined(value) for key, value in common.items() if isinstance(value, str)}
    hints: dict[str, tuple[str, ...]] = {}
    answers: dict[str, tuple[str, ...]] = {}
    _only(table, {"title", "intro", "summary", *(stage.id for stage in stages)}, at)
    for key in ("title", "intro", "summary"):
        own[key] = _text(table, key, at)
    for stage in stages:
        part, where = table.get(stage.id, {}), f"{at}: [{stage.id}]"
        rights = {f"right-{way.id}" if way.id else "right" for way in stage.fulfilled}
        given = {"answers"} if stage.question else set()
        _only(part, {"ask", "hints", "wrong", *rights, *given}, where)
        for key in ("ask", *sorted(rights)):
            own[f"{key}.{stage.id}"] = _text(part, key, where)
        hints[stage.id] = tuple(_checked(hint, f"{where} hints") for hint in part.get("hints", ()))
        if not hints[stage.id] or "{type}" not in hints[stage.id][-1]:
            raise LessonError(f"lesson {where}: the last of its hints has to say what to type, {{type}}")
        wrong = part.get("wrong", {})
        _only(wrong, {way.id for way in stage.wrong}, f"{where} wrong")
        for way in stage.wrong:
            own[f"wrong.{stage.id}.{way.id}"] = _text(wrong, way.id, f"{where} wrong")
        own_words = part.get("answers", ())
        answers[stage.id] = (*own_words, *_toml(f"{ORIGINAL}/{name}.toml").get(stage.id, {}).get("answers", ()))
    for key, text in own.items():
        _checked(text, f"{language} {key}")
    return Texts(language, own, hints, answers, dict(common.get("states", {})), _whys(language))


def _text(table: dict[str, Any], key: str, at: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise LessonError(f"lesson {at}: the text {key} is missing")
    return _joined(value)


def _joined(text: str) -> str:
    """A text without the line breaks of its file: an empty line begins a paragraph, and so does a line with "- "."""
    paragraphs = re.split(r"\n\s*\n|\n(?=- )", text.strip())
    return "\n".join(re.sub(r"\s*\n\s*", _seam, paragraph) for paragraph in paragraphs)


def _seam(found: re.Match[str]) -> str:
    """No blank where Chinese was broken in two, nor beside its marks; one between Chinese and other letters."""
    before, after = found.string[found.start() - 1], found.string[found.end()]
    wide = [character > "\u2e7f" for character in (before, after)]
    marks = any(one and not character.isalnum() for one, character in zip(wide, (before, after), strict=True))
    return "" if all(wide) or marks else " "


def _checked(text: str, at: str) -> str:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise LessonError(f"lesson {at}: {error} in {text!r}") from None
    if wrong := sorted(names - PLACEHOLDERS):
        raise LessonError(f"lesson {at}: nothing is called {{{wrong[0]}}}")
    return _joined(text)


@cache
def _whys(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    if language == "en":
        return ()
    return tuple((_pattern(english), words) for english, words in _toml(f"{language}/why.toml").items())


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(re.escape(piece) for piece in english.split("{}")))


@cache
def _toml(name: str) -> dict[str, Any]:
    import tomllib

    path = files("lab.explore.lessons").joinpath(*name.split("/"))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LessonError(f"lesson {name} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise LessonError(f"lesson {name} is no TOML: {error}") from None
