"""`/edit/DOC`: several writers of one text. The server puts all edits in one order; who applies them in that order ends
with the same text as everybody.

To the server: `{"type":"edit","base":R,"at":P,"delete":N,"insert":TEXT}`: on the text as it was at revision R, from
character P on, N characters give way to TEXT. From it: `document` (you, revision, text) at first, then each edit with
its revision, its writer (`by`) and the place where it belongs after those that came between; `error` (text). Characters
are code points.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final

from websockets.frames import CloseCode

from lab.server.sites.connection import Connection
from lab.server.sites.crowd import FULL, MOST, Crowd, complain, messages

LONGEST: Final = 16_384
"""Characters of a document."""
KEPT: Final = 1000
"""Edits that are kept, to place those that were made on an older text."""
UNREAD: Final = 100
"""Documents that are kept when the last writer has left."""


@dataclass(frozen=True, slots=True)
class Edit:
    """`delete` characters from `at` on give way to `insert`."""

    at: int
    delete: int
    insert: str

    def after(self, earlier: Edit) -> Edit:
        """The same edit, made without knowing of `earlier`, as it is on a text to which that has been done.

        What both delete is deleted once; what was inserted in the middle of what this one deletes stays.
        """
        start, end = self.at, self.at + self.delete
        gone = (earlier.at, earlier.at + earlier.delete)
        grown = len(earlier.insert)
        if end <= gone[0] and (self.delete or start < gone[0]):
            return self
        if start >= gone[1]:
            return Edit(start + grown - earlier.delete, self.delete, self.insert)
        before = max(0, gone[0] - start)
        behind = max(0, end - gone[1])
        if before and behind and grown:
            # It would go round what was inserted: that stays, so only the part in front is deleted.
            return Edit(start, before, self.insert)
        if before:
            return Edit(start, before + (behind if not grown else 0), self.insert)
        return Edit(gone[0] + grown, behind, self.insert)


class Document:
    """One text, and who writes it."""

    def __init__(self) -> None:
        self.crowd = Crowd("writer")
        self.text = ""
        self.revision = 0
        self._edits: deque[Edit] = deque(maxlen=KEPT)

    def take(self, message: dict[str, Any]) -> Edit:
        """Put an edit in its place, and do it. Raises ValueError: one sentence."""
        base, at, delete, insert = (message.get(name) for name in ("base", "at", "delete", "insert"))
        if message.get("type") != "edit" or type(base) is not int or not isinstance(insert, str):
            raise ValueError("an edit has base, at, delete and insert")
        if type(at) is not int or type(delete) is not int or at < 0 or delete < 0:
            raise ValueError("at and delete are counts of characters")
        if not self.revision - len(self._edits) <= base <= self.revision:
            raise ValueError(f"the text is at revision {self.revision}: open it anew")
        edit = Edit(at, delete, insert)
        between = self.revision - base
        for earlier in list(self._edits)[len(self._edits) - between :]:
            edit = edit.after(earlier)
        if edit.at + edit.delete > len(self.text):
            raise ValueError("the text is not that long")
        if len(self.text) - edit.delete + len(insert) > LONGEST:
            raise ValueError(f"a text has at most {LONGEST} characters")
        self.text = self.text[: edit.at] + insert + self.text[edit.at + edit.delete :]
        self.revision += 1
        self._edits.append(edit)
        return edit


class Documents:
    """All documents."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}

    async def serve(self, connection: Connection) -> None:
        """Serve one client until its connection has ended."""
        document = self._open(connection.visit.name)
        if document is None:
            await connection.close(CloseCode.TRY_AGAIN_LATER, FULL)
            return
        crowd = document.crowd
        own = crowd.join(connection)
        crowd.tell(own, {"type": "document", "you": own, "revision": document.revision, "text": document.text})
        try:
            async for message in messages(connection):
                try:
                    edit = document.take(message)
                except ValueError as error:
                    complain(connection, str(error))
                else:
                    crowd.tell_all({"type": "edit", "revision": document.revision, "by": own, **asdict(edit)})
        finally:
            crowd.leave(own)
            self._forget()

    def _open(self, name: str) -> Document | None:
        document = self._documents.pop(name, None)
        if document is None:
            if len(self._documents) >= MOST:
                return None
            document = Document()
        self._documents[name] = document  # the latest opened is the last to be forgotten
        return document

    def _forget(self) -> None:
        unread = [name for name, document in self._documents.items() if not document.crowd.members]
        for name in unread[: max(0, len(unread) - UNREAD)]:
            del self._documents[name]
