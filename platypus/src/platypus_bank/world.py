"""One emulated world, of one client: its file, clock, settings and ids."""

from hashlib import blake2b
from pathlib import Path

from platypus_bank.clock import Clock
from platypus_bank.ids import Ids
from platypus_bank.ledger import Ledger
from platypus_bank.records import Charter
from platypus_bank.store import Store
from platypus_bank.webhooks.deliveries import Deliveries

CHARTER_ID = "world"


class OtherSeedError(Exception):
    """The folder holds a world that was made with another seed."""


class World:
    """Opens the world in `folder` (None: in memory), making it when there is none.

    `seed=None` takes the seed found there, or 1 for a new world. `address` is the URL by which the
    last caller reached this server.
    """

    def __init__(self, folder: Path | None = None, seed: int | None = None) -> None:
        self.folder = folder
        self.store = Store(folder)
        self.ledger = Ledger(self.store.sql)
        self.address = ""
        self.deliveries = Deliveries(self.store.sql)
        with self.store.commit():
            self.charter = self.store.get(Charter, CHARTER_ID) or self._found(seed)
        if seed not in (None, self.charter.seed):
            self.store.close()
            raise OtherSeedError(
                f"{folder} holds a world made with seed {self.charter.seed}, not {seed}; "
                "start without --seed, or with another --data-dir"
            )
        self._attach()

    def _found(self, seed: int | None, client_id: str | None = None) -> Charter:
        charter = Charter(id=CHARTER_ID, seed=1 if seed is None else seed, client_id=client_id)
        self.store.put(charter)
        return charter

    def _attach(self) -> None:
        self.clock = Clock(self.charter.offset_seconds, self.charter.stands_at)
        self.ids = Ids(self._key(), self._reserve)

    def _key(self) -> int:
        """Return what all ids are made from: no two worlds of a server have one in common."""
        named = f"{self.charter.seed}/{self.charter.client_id}".encode()
        return int.from_bytes(blake2b(named, digest_size=8).digest())

    def claim(self, client_id: str) -> None:
        """Make this the client's world."""
        if self.charter.client_id != client_id:
            self.charter.client_id = client_id
            with self.store.commit():
                self.save()
            self._attach()

    def _reserve(self, count: int) -> int:
        first = self.charter.next_number
        self.charter.next_number += count
        self.save()
        return first

    def save(self) -> None:
        """Write the charter: seed, counter, clock, settings."""
        self.charter.offset_seconds = self.clock.offset_seconds
        self.charter.stands_at = self.clock.stands_at
        self.store.put(self.charter)

    def reload(self) -> None:
        """Take the charter from the store again, after a change that was rolled back."""
        self.charter = self.store.get(Charter, CHARTER_ID) or self.charter
        self._attach()

    def reset(self, seed: int | None = None, stands_at: float | None = None) -> None:
        """Forget everything and begin again; the clock shows real time, or stands at an instant."""
        kept = self.charter.seed if seed is None else seed
        self.store.clear()
        self.charter = self._found(kept, self.charter.client_id)
        self.charter.stands_at = stands_at
        self._attach()
        self.save()

    def close(self) -> None:
        """Close the world's file."""
        self.store.close()
