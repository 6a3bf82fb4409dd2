"""Commands that write files: the session as a scenario, its packets as a capture."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

from lab.explore.commands.looks import Page
from lab.explore.errors import CommandError
from lab.explore.script.scribe import SAVED
from lab.report.captures import write_capture_to
from lab.report.files import write_whole
from lab.report.text import Line, wrapped

KEPT = Path(os.environ.get("LAB_SAVE", ""))
"""The folder that paths begin in: a container's own files go when it does."""


def save(page: Page, rest: str) -> list[Line]:
    """What was done, as a scenario that `lab run` plays."""
    path = _path(rest, "save", ".py", "story.py")
    if not page.session.lines:
        raise CommandError("nothing was done yet that could be saved", "`syn` begins")
    _refuse_to_replace(path)
    write_whole(path, page.session.scribe.script(path), option="save")
    option = page.session.scribe.family
    play = f"lab run {shlex.quote(_argument(path))} {option}".rstrip()
    lines: list[Line] = []
    for doubt in page.session.scribe.doubts:
        said = f"It may go otherwise when it is played: {doubt}."
        lines += wrapped(said, page.width, style="warn", first=f"{page.glyphs.warn} ")
    return lines + wrapped(f"{path}: `{play}` plays it again", page.width, whole=True)


def pcap(page: Page, rest: str) -> list[Line]:
    """Every packet so far, each with a comment, for Wireshark."""
    path = _path(rest, "pcap", ".pcapng", "session.pcapng")
    result = page.session.result()
    if not result.packets:
        raise CommandError("no packet has gone either way", "`syn` sends the first")
    write_capture_to(result, path, option="pcap")
    return wrapped(
        f"{path}: {len(result.packets)} packets, `lab layers {shlex.quote(_argument(path))}` shows them",
        page.width,
        whole=True,
    )


def _path(text: str, command: str, suffix: str, example: str) -> Path:
    word = text.strip().strip("\"'")
    if not word:
        raise CommandError("where to", f"name a file: `{command} {example}`")
    path = KEPT / Path(word).expanduser()
    if _is(path, stat.S_ISDIR):
        raise CommandError(f"{path} is a folder", f"name a file in it: `{command} {path / example}`")
    if path.suffix != suffix:
        path = path.with_name(path.name + suffix)
    if _is(path, lambda mode: not stat.S_ISREG(mode)):
        raise CommandError(f"{path} is no ordinary file", "name another")
    if not _is(path.parent, stat.S_ISDIR):
        raise CommandError(f"there is no folder {path.parent}", f"name another place: `{command} {example}`")
    return path


def _argument(path: Path) -> str:
    """The path as a command takes it, which would read an option in one that begins with a dash."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    """What is there. Raises CommandError where nobody lets us look."""
    try:
        return kind(path.stat().st_mode)
    except PermissionError:
        raise CommandError(f"{path}: permission denied", "choose another place") from None
    except (OSError, ValueError):
        return False


def _refuse_to_replace(path: Path) -> None:
    """A file that no session has written is somebody's work. Raises CommandError."""
    try:
        theirs = _is(path, stat.S_ISREG) and SAVED not in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # writing will tell
    if theirs:
        raise CommandError(f"there is a file {path} that no session has saved", "name another")
