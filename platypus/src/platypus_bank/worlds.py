"""The worlds of one server: each client_id has one of its own, made when it first calls."""

import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path

from platypus_bank.service import Service
from platypus_bank.world import World

Spawn = Callable[[Coroutine[None, None, None]], Callable[[], object]]
"""Runs something until it is cancelled by what this returns."""


class AmbiguousError(Exception):
    """There are several worlds, and the call did not say which it means."""


class Worlds:
    """Opens the worlds in `folder` (None: in memory), and makes new ones there, with `seed`.

    A world that nobody has called yet, because its settings came first, is the first caller's.
    """

    def __init__(self, folder: Path | None, seed: int | None = None) -> None:
        self._folder, self._seed = folder, seed
        self._services: dict[str | None, Service] = {}
        self._spawn: Spawn | None = None
        self._stops: dict[int, list[Callable[[], object]]] = {}
        self._made = 0
        for each in _folders(folder):
            self._made = max(self._made, int(each.name))
            self._add(Service(World(each, seed)))
        if not self._services:
            self._make()  # at once: its lock is what keeps a second server from this folder

    def every(self) -> list[Service]:
        """Return all of them."""
        return list(self._services.values())

    def of(self, client_id: str) -> Service:
        """Return the world of a client: its own, or that of nobody yet, or a new one."""
        found = self._services.get(client_id)
        if found is None:
            found = self._services.get(None) or self._make()
            del self._services[None]
            found.world.claim(client_id)
            self._services[client_id] = found
        return found

    def any(self) -> Service:
        """Return some world, for calls that need none in particular."""
        return next(iter(self._services.values()), None) or self._make()

    def only(self) -> Service:
        """Return the only world; raises AmbiguousError where there are several."""
        if len(self._services) > 1:
            names = ", ".join(list(map(str, self._services))[:5])
            raise AmbiguousError(
                f"this server has {len(self._services)} worlds ({names}, …): say which is meant, by "
                "its client's id in the header PLAID-CLIENT-ID or in ?client_id="
            )
        return self.any()

    def remove(self, client_id: str) -> None:
        """End a client's world and delete what is kept of it; raises KeyError."""
        service = self._services.pop(client_id)
        for stop in self._stops.pop(id(service), []):
            stop()
        service.faults.clear()
        service.world.close()
        if service.world.folder is not None:
            shutil.rmtree(service.world.folder)

    def start(self, spawn: Spawn) -> None:
        """Let time pass and webhooks leave, in these worlds and in those to come."""
        self._spawn = spawn
        for each in self.every():
            self._run(each)

    def hang_up(self) -> None:
        """End all waiting because the server stops."""
        for each in self.every():
            each.faults.close()

    def close(self) -> None:
        """Close all files."""
        for each in self.every():
            each.world.close()

    def _make(self) -> Service:
        self._made += 1
        folder = None if self._folder is None else self._folder / str(self._made)
        fresh = Service(World(folder, self._seed))
        self._add(fresh)
        return fresh

    def _add(self, service: Service) -> None:
        self._services[service.world.charter.client_id] = service
        if self._spawn is not None:
            self._run(service)

    def _run(self, service: Service) -> None:
        if self._spawn is not None:
            self._stops[id(service)] = [self._spawn(each) for each in service.running()]


def _folders(folder: Path | None) -> list[Path]:
    """Return the folders of the worlds that are kept, oldest first."""
    if folder is None or not folder.is_dir():
        return []
    found = [each for each in folder.iterdir() if each.is_dir() and each.name.isdecimal()]
    return sorted(found, key=lambda each: int(each.name))
