"""Commands of a lesson: what a person asks the one who leads them."""

from __future__ import annotations

from lab.explore.commands.looks import Page
from lab.explore.errors import CommandError
from lab.report.text import Line


def hint(page: Page, rest: str) -> list[Line]:
    """The next hint; the last one says what to type."""
    return _ask(page, "hint", rest)


def answer(page: Page, rest: str) -> list[Line]:
    """Answer a question of the lesson."""
    return _ask(page, "answer", rest)


def again(page: Page, rest: str) -> list[Line]:
    """Begin this part of the lesson once more, on a new connection."""
    return _ask(page, "again", rest)


def where(page: Page, rest: str) -> list[Line]:
    """Where both ends stand, and what the lesson asks for."""
    return _ask(page, "where", rest)


def _ask(page: Page, word: str, rest: str) -> list[Line]:
    if page.guide is None:
        raise CommandError(
            f"`{word}` is for lessons, and none is under way", "`lab explore --lesson three-way` begins one"
        )
    page.guide.asked(word, rest, page)
    return page.guide.told(page.width)
