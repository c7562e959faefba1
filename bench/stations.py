"""The clockwork of a simulation: events in order of time, and stations that serve one line each."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Generator
from typing import TypeAlias, Union

Steps: TypeAlias = Generator[Union[float, "Station"], None, None]
"""What somebody does: it yields the seconds in which nothing happens, or a station to get into."""


class Timeline:
    """Moves the clock from event to event; `now` is in seconds since the start."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Steps]] = []
        self._numbers = itertools.count()  # whoever came first goes first at the same instant

    def after(self, seconds: float, steps: Steps) -> None:
        """Go on with the steps so many seconds from now."""
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), steps))

    def run_until(self, end: float) -> None:
        """Let everything happen that happens before the end."""
        while self._events and self._events[0][0] <= end:
            self.now, _, steps = heapq.heappop(self._events)
            self._go_on(steps)
        self.now = end

    def _go_on(self, steps: Steps) -> None:
        for wish in steps:
            if isinstance(wish, Station):
                if not wish.admits(steps):
                    return
            else:
                self.after(wish, steps)
                return


class Station:
    """So many places and one line: who came first gets in first. Who got in must `leave`."""

    def __init__(self, timeline: Timeline, places: int) -> None:
        self.places = places
        self._timeline = timeline
        self._line: deque[Steps] = deque()
        self._taken = 0
        self._taken_seconds = 0.0
        self._counted_until = 0.0

    def admits(self, steps: Steps) -> bool:
        """Let the steps in, or put them into the line."""
        if self._taken == self.places:
            self._line.append(steps)
            return False
        self._change(1)
        return True

    def leave(self) -> None:
        """Give a place to the next in line."""
        if self._line:
            self._timeline.after(0, self._line.popleft())
        else:
            self._change(-1)

    def taken_seconds(self) -> float:
        """Return for how many seconds places were taken so far, all together."""
        self._change(0)
        return self._taken_seconds

    def _change(self, by: int) -> None:
        self._taken_seconds += self._taken * (self._timeline.now - self._counted_until)
        self._counted_until = self._timeline.now
        self._taken += by
