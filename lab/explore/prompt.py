"""The prompt: a person types, with completion and history; what the server says meanwhile is drawn above it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from lab.explore.commands.table import COMMANDS, LED
from lab.explore.errors import CommandError, Over, Quit
from lab.explore.shell import Shell
from lab.report.files import CannotWrite
from lab.report.text import wrapped

HISTORY = ".explore-history"
"""The file in the output folder in which the prompt remembers what was typed."""
TICK = 1.0
"""Seconds between two looks at what the server's kernel still holds, while nobody types."""
EXPRESSIONS = ("send", "replay", "predict")
"""Commands behind which an expression stands."""


def converse(shell: Shell, out: Path) -> None:
    """Prompt until the person has seen enough (`quit`, Ctrl-D)."""
    asyncio.run(_Conversation(shell, _history(out)).go())


class _Conversation:
    def __init__(self, shell: Shell, history: History) -> None:
        self.shell = shell
        self.prompt: PromptSession[str] = PromptSession(
            history=history,
            completer=CommandCompleter(shell),
            complete_while_typing=False,
            bottom_toolbar=self._toolbar,
        )
        self._listening = -1
        self._ticking: asyncio.TimerHandle | None = None

    async def go(self) -> None:
        shell = self.shell
        session = shell.session
        if shell.guide is None:  # a lesson has its own words
            shell.show(
                wrapped(
                    f"You are the client at {session.bench.peer_address}; the server is {session.bench.server_address}"
                    f"{', ' + session.testbed.kernel if session.testbed.kernel else ''}. `syn` begins, `help` lists "
                    "the commands, Ctrl-D ends.",
                    min(shell.screen.width, 100),
                    style="dim",
                )
            )
        while True:
            self._listen()
            try:
                line = await self.prompt.prompt_async(self._mark)
            except KeyboardInterrupt:
                continue  # what was typed so far is given up; Ctrl-D ends
            except EOFError:
                return
            finally:
                self._listen(False)
            try:
                shell.do(line)
            except Quit:
                return
            except (CommandError, Over, CannotWrite) as error:
                shell.complain(error)

    def _mark(self) -> FormattedText:
        name = self.shell.session.hand.name
        guide = self.shell.guide
        return FormattedText([("bold", f"{guide.mark if guide else name}> ")])

    def _toolbar(self) -> FormattedText:
        """Where the connection stands, below the line that is typed."""
        session = self.shell.session
        if session.over:
            return FormattedText([("", f" {session.over}: `restart` begins anew")])
        connection = session.hand.connection
        said = f" {session.hand.name}  lab {connection.peer_state}  server {connection.server_state}"
        said += "  the model answers for you" * session.auto
        said += "  the next segment is lost" * session.lose_next + "  the next segment is delayed" * session.delay_next
        keys = "   (help, Tab, Ctrl-D)"
        return FormattedText([("", said + keys * (len(said + keys) < self.shell.screen.console.width))])

    # What comes while nobody types

    def _listen(self, on: bool = True) -> None:
        """Look at the link as soon as it has something, as long as the prompt waits."""
        loop = asyncio.get_running_loop()
        if self._listening >= 0:
            loop.remove_reader(self._listening)
            self._listening = -1
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        if on and not self.shell.session.over:
            self._listening = self.shell.session.testbed.link.fileno()
            loop.add_reader(self._listening, self._overhear)
            self._ticking = loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        """Ask now and then what the server's kernel has let go of: no frame tells of that."""
        self._overhear()
        if self._listening >= 0:
            self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _overhear(self) -> None:
        lines = self.shell.overhear()
        if self.shell.session.over:
            self._listen(False)
        if lines:
            run_in_terminal(lambda: self.shell.show(lines))


class CommandCompleter(Completer):
    """Completes commands, the words behind them, and the names of an expression."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What may stand at the cursor."""
        line = document.text_before_cursor.lstrip()
        for text, meta in self.candidates(line):
            word = line.rpartition(" ")[2] if not line.startswith(EXPRESSIONS) else _last_name(line)
            yield Completion(text, start_position=-len(word), display_meta=meta)

    def candidates(self, line: str) -> list[tuple[str, str]]:
        """Each completion of the last word of a line, and what it means."""
        before, _, word = line.rpartition(" ")
        command = before.strip()
        if line.startswith(tuple(f"{name} " for name in EXPRESSIONS)):
            return self._of_expression(line)
        if command == "help":
            return [(name, c.says) for name, c in COMMANDS.items() if name.startswith(word)]
        if command in COMMANDS:
            words = COMMANDS[command].words or (tuple(self.shell.session.plays) if command == "switch" else ())
            return [(each, "") for each in words if each.startswith(word)]
        depth = len(line.split()) - (0 if line.endswith(" ") or not line else 1)
        found: dict[str, str] = {}
        for name, one in COMMANDS.items():
            if one in LED and self.shell.guide is None:
                continue
            pieces = name.split()
            if len(pieces) > depth and pieces[:depth] == line.split()[:depth] and pieces[depth].startswith(word):
                rest = " ".join(pieces[depth:]) if depth or len(pieces) == 1 else pieces[0]
                found.setdefault(rest, one.says if len(pieces) == depth + 1 else "")
        return list(found.items())

    def _of_expression(self, line: str) -> list[tuple[str, str]]:
        from lab.explore.expression.evaluate import LAYERS

        word = _last_name(line)
        inside = _call_around(line)
        if inside is None:  # a text in quotes
            return []
        if inside in LAYERS and (line[: len(line) - len(word)].rstrip().endswith(("(", ","))):
            from lab.explore.expression.evaluate import fields

            return [(f"{name}=", "") for name in fields(inside) if name.startswith(word)]
        first = [(each, "") for each in ("syn", "ack", "fin", "rst", "data") if line.startswith("predict ")]
        first = first if line.split(" ", 1)[1].strip() == word else []
        names = [*first, *((f"{name}(", "") for name in LAYERS), *((n, "") for n in self.shell.session.names())]
        return [(each, meta) for each, meta in names if each.startswith(word)]


def _call_around(line: str) -> str | None:
    """The name of the call whose brackets the line ends in, "" where there is none; None inside quotes."""
    calls: list[str] = []
    quote = ""
    for at, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote and line[at - 1] != "\\" else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "([":
            calls.append(_last_name(line[:at]))
        elif sign in ")]" and calls:
            calls.pop()
    return None if quote else calls[-1] if calls else ""


def _last_name(line: str) -> str:
    """The name that the line ends with."""
    at = len(line)
    while at and (line[at - 1].isalnum() or line[at - 1] == "_"):
        at -= 1
    return line[at:]


def _history(out: Path) -> History:
    path = out / HISTORY
    try:
        path.touch()
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
