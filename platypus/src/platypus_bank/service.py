"""What one running server holds: the world, the planted faults, the log of calls, its own tasks."""

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager

from platypus_bank.calls import Calls
from platypus_bank.faults.planted import Faults
from platypus_bank.rate_limits import RateLimits
from platypus_bank.timekeeper import Timekeeper
from platypus_bank.webhooks.sender import Sender
from platypus_bank.world import World


class Service:
    """The state behind both doors, Plaid's and the control API's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults()
        self.calls = Calls()
        self.rate_limits = RateLimits()
        self.sender = Sender(world)
        self.timekeeper = Timekeeper(world)

    @contextmanager
    def commit(self) -> Iterator[None]:
        """Make everything inside one change of the world, with all that time brought: or nothing."""
        try:
            with self.world.store.commit():
                yield
                self.timekeeper.catch_up()
        except BaseException:
            self.world.reload()
            self.timekeeper.look_again()
            raise
        self.sender.wake()
        self.timekeeper.wake()

    def running(self) -> list[Coroutine[None, None, None]]:
        """Return what the server runs beside answering calls, until it is cancelled."""
        return [self.sender.run(), self._keep_time()]

    async def _keep_time(self) -> None:
        while True:
            if await self.timekeeper.nap():
                with self.commit():
                    pass  # the commit itself lets happen what is due
