"""The text of an expression, read before Python reads it: what may stand in it, and how much.

`read` goes over the text once, word by word. What it lets through is short, shallow, of one line and of plain ASCII
outside quotes; only then does Python's own parser see it. So nothing that a person types can exhaust that parser, and
what is refused is refused at its place, in a sentence.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from keyword import iskeyword
from typing import Final

from lab.scenario.errors import LabError

MOST_CHARACTERS: Final = 4000
DEEPEST: Final = 60
"""Brackets and operators inside one another; those of a chain such as 1+1+1 count too."""
LARGEST: Final = 2**64
"""No number may be further from zero, not even on the way to another."""
EXAMPLE: Final = 'TCP(flags="SF", seq=x+7)/b"!"'

_ALLOWED: Final = "write layers, numbers, text in quotes, arithmetic and the connection's names"


class ExpressionError(LabError, ValueError):
    """An expression is refused: one sentence, with the next step in it. Nothing was sent.

    `at` is the column in the text where it went wrong, from 0; None where no single place is to blame.
    """

    def __init__(self, sentence: str, at: int | None = None) -> None:
        super().__init__(sentence)
        self.at = at


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text: `kind` is "name", "number", "string", "unended" (a string), "operator" or "bad"."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Tree:
    """An expression as Python parsed it, and where its parts stand in the text."""

    root: ast.expr
    text: str
    shift: int
    """Blanks in front of it."""

    def at(self, node: ast.AST) -> int:
        """The column of a part, from 0."""
        return self._column(getattr(node, "col_offset", 0))

    def source(self, node: ast.expr) -> str:
        """A part as it was typed."""
        return self.text[self.at(node) : self._column(node.end_col_offset or 0)]

    def _column(self, octets: int) -> int:
        """Python counts UTF-8 octets; a person counts characters."""
        return self.shift + len(self.text[self.shift :].encode()[:octets].decode())


_TOKEN: Final = re.compile(
    r"""
      (?P<blank>[ \t]+)
    | (?P<string>[A-Za-z]{0,3}(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))
    | (?P<unended>[A-Za-z]{0,3}["'])
    | (?P<number>(?:[0-9]|\.[0-9])[0-9A-Za-z_.]*)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<bad>\*\*|:=|==|!=|<=|>=)
    | (?P<operator>//|<<|>>|[-+*%&|^~/()\[\],=])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)

_REFUSED: Final = {
    "lambda": "functions are not made here",
    "if": "nothing is decided here",
    "else": "nothing is decided here",
    "for": "one expression makes one packet",
    "async": "one expression makes one packet",
    "await": "there is nothing to wait for here",
    "yield": "there is nobody to yield to here",
    "and": "nothing is decided here: join bits with &",
    "or": "nothing is decided here: join bits with |",
    "not": "nothing is decided here: turn bits round with ~",
    "in": "nothing is compared here",
    "is": "nothing is compared here",
    "import": "nothing is imported here",
    "from": "nothing is imported here",
    "True": "fields are numbers: write 1",
    "False": "fields are numbers: write 0",
    ".": "nothing is read from inside a value",
    ":=": "names are not set here",
    "==": "nothing is compared here",
    "!=": "nothing is compared here",
    "<=": "nothing is compared here",
    ">=": "nothing is compared here",
    "<": "nothing is compared here",
    ">": "nothing is compared here",
    ";": "one expression makes one packet",
    "{": "sets and dictionaries are not made here",
    "}": "sets and dictionaries are not made here",
    ":": "there are neither slices nor annotations here",
    "#": "there are no comments here",
    "\\": "an expression is one line",
    "@": "matrices are not multiplied here",
}
"""Keywords and signs of Python that have no place, and why."""
_BINARY: Final = frozenset(["+", "-", "*", "//", "%", "<<", ">>", "&", "|", "^", "/"])
_UNARY: Final = frozenset(["+", "-", "~"])
_ESCAPE: Final = re.compile(r"\\([0-7]{1,3}|.)", re.DOTALL)


def tokens(text: str) -> Iterator[Token]:
    """The words of any text, without blanks, up to a string that never ends. Never raises: what is no word is "bad"."""
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        if kind != "blank":
            yield Token("bad" if kind == "other" else kind, found.group(), found.start())
        if kind == "unended":
            return


def read(text: str) -> Tree:
    """The tree of an expression. Raises ExpressionError for everything that is none, whatever the text."""
    _bounded(text)
    _Reader(text).read()
    stripped = text.lstrip(" \t")
    shift = len(text) - len(stripped)
    try:
        return Tree(ast.parse(stripped, mode="eval").body, text, shift)
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
        offset = getattr(error, "offset", None)
        at = None if not isinstance(offset, int) or offset < 1 else shift + offset - 1
        why = error.msg if isinstance(error, SyntaxError) else "it is too much at once"
        raise ExpressionError(f"This is no expression ({why}): write it like {EXAMPLE}", at) from None


def _bounded(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError(
            f"An expression of {len(text):,} characters is too long, {MOST_CHARACTERS:,} are allowed: "
            'write repeated text as b"x" * 1000'
        )
    for at, character in enumerate(text):
        if (character < " " and character != "\t") or "\x7f" <= character < "\xa0":
            what = "a new line" if character in "\r\n" else f"the control character {character!r}"
            raise ExpressionError(f"Here is {what}: an expression is one line, and text takes it as \\n or \\x00", at)
        if "\ud800" <= character <= "\udfff":
            raise ExpressionError('Here is half a character: write octets as b"\\xff"', at)


class _Reader:
    """Goes over the words and minds that operands and operators take turns, in brackets that close."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.brackets: list[tuple[str, int]] = []
        """Open ones: "call", "(" or "[", and where."""
        self.depths = [0]
        """How deep each open bracket's present part is: itself, and its operators since the last comma."""
        self.wants = True
        """Whether an operand is to come next."""
        self.before: list[Token] = []

    def read(self) -> None:
        for token in tokens(self.text):
            getattr(self, f"_{token.kind}")(token)
            if sum(self.depths) > DEEPEST:
                raise ExpressionError(
                    f"More than {DEEPEST} brackets and operators inside one another: make it simpler", token.at
                )
            self.before.append(token)
        if not self.before:
            raise ExpressionError(f"There is nothing to send: write for example {EXAMPLE}")
        if self.brackets:
            kind, at = self.brackets[-1]
            raise ExpressionError(f"This bracket is never closed: add {']' if kind == '[' else ')'} at the end", at)
        if self.wants:
            last = self.before[-1]
            raise ExpressionError(f"Something has to follow {last.text} at the end: {_ALLOWED}", last.at)

    def _operand(self, token: Token) -> None:
        if not self.wants:
            raise ExpressionError(
                f"An operator or a comma is missing before {_short(token.text)}: layers are joined with /, "
                "and fields are parted by commas",
                token.at,
            )
        self.wants = False

    def _name(self, token: Token) -> None:
        if iskeyword(token.text) and token.text != "None":
            raise ExpressionError(_no(token.text), token.at)
        self._operand(token)

    def _number(self, token: Token) -> None:
        word = token.text.lower()
        whole = word.startswith("0x") or not re.search(r"[.ej]", word)
        if "." in word or not whole:
            raise ExpressionError(
                f"{_short(token.text)} is not a whole number, and the fields of a header are", token.at
            )
        try:
            value = int(word, 0) if len(word) <= 80 else LARGEST + 1
        except ValueError:
            raise ExpressionError(
                f"{_short(token.text)} is no number: write it like 1460, 0x05b4 or 0b101, without a leading zero",
                token.at,
            ) from None
        if value > LARGEST:
            raise ExpressionError("This number is larger than 2 to the 64: no field has room for it", token.at)
        self._operand(token)

    def _string(self, token: Token) -> None:
        prefix = token.text[: re.search("[\"']", token.text).start()]  # type: ignore[union-attr]
        if "f" in prefix.lower():
            raise ExpressionError(
                'Text in f"…" is worked out, which is not done here: write plain "…" or b"…"', token.at
            )
        if prefix.lower() not in ("", "b", "r", "br", "rb"):
            raise ExpressionError(f'Text is written "…" and octets b"…", not {prefix}"…"', token.at)
        if "r" not in prefix.lower():
            allowed = "\\'\"abfnrtvx01234567" + ("" if "b" in prefix.lower() else "uUN")
            for escape in _ESCAPE.finditer(token.text):
                if escape[1][0] not in allowed or (escape[1].isdigit() and int(escape[1], 8) > 0o377):
                    raise ExpressionError(
                        f"{escape[0]} means nothing in text: write \\\\ for a backslash, \\xff for an octet",
                        token.at + escape.start(),
                    )
        try:
            ast.literal_eval(token.text)
        except (SyntaxError, ValueError) as error:
            why = error.msg if isinstance(error, SyntaxError) else str(error)
            raise ExpressionError(
                f'This text cannot be read ({why}): write "…" or, for octets, b"\\xff"', token.at
            ) from None
        self._operand(token)

    def _unended(self, token: Token) -> None:
        raise ExpressionError(f"This text never ends: close it with {token.text[-1]}", token.at)

    def _bad(self, token: Token) -> None:
        sign = token.text
        if sign == "**":
            raise ExpressionError("No ** here: powers are written as 1 << n, and fields are given one by one", token.at)
        if sign in _REFUSED:
            raise ExpressionError(_no(sign), token.at)
        hint = "letters outside quotes are a to z" if sign.isalpha() else _ALLOWED
        raise ExpressionError(f"{sign!r} cannot stand here: {hint}", token.at)

    def _operator(self, token: Token) -> None:
        sign = token.text
        if sign in "([":
            self._opens(token)
        elif sign in ")]":
            self._closes(token)
        elif sign == ",":
            self._comma(token)
        elif sign == "=":
            self._sets(token)
        else:
            self._works(token)

    def _opens(self, token: Token) -> None:
        kind = token.text
        if not self.wants:
            if kind == "[":
                raise ExpressionError(f"Nothing is picked out with [ ] here: {_ALLOWED}", token.at)
            if self.before[-1].kind != "name":
                raise ExpressionError("Only a layer takes brackets behind it: write TCP(…)", token.at)
            kind = "call"
        self.brackets.append((kind, token.at))
        self.depths.append(1)
        self.wants = True

    def _closes(self, token: Token) -> None:
        if not self.brackets or (token.text == "]") != (self.brackets[-1][0] == "["):
            raise ExpressionError(f"No bracket was opened that {token.text} closes: take it away", token.at)
        if self.wants and self.before[-1].text not in ("(", "[", ","):
            raise ExpressionError(f"Something is missing before {token.text}: {_ALLOWED}", token.at)
        self.brackets.pop()
        self.depths.pop()
        self.wants = False

    def _comma(self, token: Token) -> None:
        if self.wants:
            raise ExpressionError(f"Something is missing before this comma: {_ALLOWED}", token.at)
        if not self.brackets:
            raise ExpressionError("One expression makes one packet: send the second one by itself", token.at)
        self.depths[-1] = 1
        self.wants = True

    def _sets(self, token: Token) -> None:
        named = bool(self.before) and self.before[-1].kind == "name" and not self.wants
        if not named or not self.brackets or self.brackets[-1][0] != "call" or self.before[-2].text not in ("(", ","):
            raise ExpressionError('A field is set inside a layer\'s brackets, as in TCP(flags="S")', token.at)
        self.wants = True

    def _works(self, token: Token) -> None:
        sign = token.text
        if self.wants and sign == "*":
            raise ExpressionError('A star unpacks nothing here: name each field, as in TCP(flags="S")', token.at)
        if sign not in (_UNARY if self.wants else _BINARY):
            wrong = f"Something is missing before {sign}" if self.wants else f"{sign} does not join two values"
            raise ExpressionError(f"{wrong}: {_ALLOWED}", token.at)
        self.depths[-1] += 1
        self.wants = True


def _no(sign: str) -> str:
    why = _REFUSED.get(sign, "statements are not made here")
    return f"No `{sign}`, {why}{'' if ':' in why else f': {_ALLOWED}'}"


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:29]}…"
