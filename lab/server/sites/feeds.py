"""`/ticker`, `/score`, `/map`: feeds that push what happens, unasked, to all who have subscribed.

A subscriber gets the present state first (`state`), however late it comes, then each event; events are numbered, and
the state carries the number of the last. What happens is the same in every run: it is drawn from a fixed seed, and
begins anew with the first subscriber.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final, Protocol

from lab.server.sites.connection import Connection
from lab.server.sites.crowd import Crowd, Message

SEED: Final = 6455


class Story(Protocol):
    """What a feed tells of."""

    def state(self) -> Message:
        """What a newcomer must know."""
        ...

    def go_on(self) -> Message:
        """The next event."""
        ...


class Prices:
    """Three prices in cents, each on a walk of its own."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)
        self._prices = {"ACK": 10_000, "FIN": 2_500, "SYN": 50_000}

    def state(self) -> Message:
        """All prices."""
        return {"prices": dict(self._prices)}

    def go_on(self) -> Message:
        """One price moves by at most one percent."""
        symbol = self._random.choice(sorted(self._prices))
        price = self._prices[symbol]
        self._prices[symbol] = max(1, price + self._random.randint(-price // 100, price // 100))
        return {"type": "price", "symbol": symbol, "price": self._prices[symbol]}


class Score:
    """A match between two sides."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)
        self._score = {"home": 0, "away": 0}

    def state(self) -> Message:
        """The score."""
        return {"score": dict(self._score)}

    def go_on(self) -> Message:
        """A goal."""
        side = self._random.choice(("home", "away"))
        self._score[side] += 1
        return {"type": "goal", "side": side, "score": dict(self._score)}


class Places:
    """Three vehicles on a square of 1,000 by 1,000."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)
        self._at = {name: [500, 500] for name in ("bus", "ship", "tram")}

    def state(self) -> Message:
        """Where all of them are."""
        return {"at": {name: list(place) for name, place in self._at.items()}}

    def go_on(self) -> Message:
        """One of them moves."""
        name = self._random.choice(sorted(self._at))
        place = [min(999, max(0, part + self._random.randint(-10, 10))) for part in self._at[name]]
        self._at[name] = place
        return {"type": "move", "name": name, "at": list(place)}


STORIES: Final[dict[str, Callable[[], Story]]] = {"ticker": Prices, "score": Score, "map": Places}
"""By the path of the feed."""


class Feed:
    """One story, told at one pace to its subscribers."""

    def __init__(self, story: Story, every: float, pad: int) -> None:
        self.crowd = Crowd("subscriber")
        self._story = story
        self._every = every
        self._filler = {"pad": "." * pad} if pad else {}
        self._number = 0
        self._task: asyncio.Task[None] | None = None

    def join(self, connection: Connection) -> str:
        """Take a subscriber in, and tell it the present state. With the first one it begins."""
        name = self.crowd.join(connection)
        self.crowd.tell(name, {"type": "state", "number": self._number, **self._story.state(), **self._filler})
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._tell())
        return name

    async def end(self) -> None:
        """Stop: nobody follows it any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            # Where the loop was late it does not hurry: a feed is no faster than it says.
            due = max(due + self._every, loop.time())
            await asyncio.sleep(due - loop.time())
            event = self._story.go_on()
            self._number += 1
            self.crowd.tell_all({"type": event.pop("type"), "number": self._number, **event, **self._filler})


class Feeds:
    """All feeds that somebody follows, one for each path and pace."""

    def __init__(self) -> None:
        self._feeds: dict[tuple[str, float, int], Feed] = {}

    async def serve(self, connection: Connection) -> None:
        """Serve one client until its connection has ended. What it sends is not looked at."""
        numbers, path = connection.visit.numbers, connection.visit.page.path
        key = (path, numbers["every"], int(numbers.get("pad", 0)))
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(STORIES[path](), *key[1:])
        name = feed.join(connection)
        try:
            async for _ in connection:
                pass
        finally:
            feed.crowd.leave(name)
            if not feed.crowd.members and self._feeds.get(key) is feed:
                del self._feeds[key]
                await feed.end()
