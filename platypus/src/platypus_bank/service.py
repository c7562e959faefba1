"""What one running server holds: the world, the planted faults, the log of calls, the sender."""

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager

from platypus_bank.calls import Calls
from platypus_bank.faults import Faults
from platypus_bank.webhooks.sender import Sender
from platypus_bank.world import World


class Service:
    """The state behind both doors, Plaid's and the control API's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults()
        self.calls = Calls()
        self.sender = Sender(world)

    @contextmanager
    def commit(self) -> Iterator[None]:
        """Make everything inside one change of the world: all of it, or nothing."""
        try:
            with self.world.store.commit():
                yield
        except BaseException:
            self.world.reload()
            raise
        self.sender.wake()

    def running(self) -> list[Coroutine[None, None, None]]:
        """Return what the server runs beside answering calls, until it is cancelled."""
        return [self.sender.run()]
