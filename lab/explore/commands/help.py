"""`help`: every command in a line, or one in full."""

from __future__ import annotations

from lab.explore.commands.table import COMMANDS, GROUPS, LESSON, Command, find
from lab.explore.errors import CommandError
from lab.report.text import Line, wrapped

_COLUMN = 26


def told(rest: str, width: int, *, lesson: bool = False) -> list[Line]:
    """What `help` shows; `lesson`: one is under way. Raises CommandError for a word that is no command."""
    if not rest.strip():
        return _everything(width, lesson)
    words = rest.strip().lower()
    some = [command for name, command in COMMANDS.items() if name.startswith(words + " ")]
    if len(some) == 1 and words not in COMMANDS:  # `lose` can only mean `lose next`
        return _in_full(some[0], width)
    if some and words not in COMMANDS:
        return [line for command in some for line in _one_line(command, width)]
    command, behind = find(rest.strip())
    if behind and " " not in command.name:
        raise CommandError(f"there is no command {rest.strip()}", f"`help {command.name}` explains that")
    return _in_full(command, width)


def _everything(width: int, lesson: bool) -> list[Line]:
    lines: list[Line] = []
    for group in GROUPS:
        if group.title == LESSON and not lesson:
            continue
        lines.append([(group.title, "head")])
        for command in group.commands:
            lines += _one_line(command, width)
        lines.append([])
    return [
        *lines,
        *wrapped("`help COMMAND` says more. Tab completes; the arrows recall what was typed.", width, style="dim"),
    ]


def _one_line(command: Command, width: int) -> list[Line]:
    name = f"  {command.name} {command.usage}".rstrip()
    [first, *more] = wrapped(command.says, max(width - _COLUMN - 2, 24))
    lines: list[Line] = []
    if len(name) >= _COLUMN:
        lines.append([(name, "peer")])
        name = ""
    lines.append([(name.ljust(_COLUMN), "peer"), *first])
    return lines + [[(" " * _COLUMN, ""), *line] for line in more]


def _in_full(command: Command, width: int) -> list[Line]:
    lines: list[Line] = [[(f"{command.name} {command.usage}".rstrip(), "peer")], []]
    says = command.says if "()" in command.says.split()[0] else command.says[0].upper() + command.says[1:]
    lines += wrapped(f"{says}.", width)
    if command.more:
        lines += [[], *wrapped(command.more, width)]
    if command.examples:
        lines += [[], *([("  " + example, "call")] for example in command.examples)]
    return lines
