"""What the tests of backups, moves and upgrades share: a place with data, and a look at what it holds."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psycopg

from bankloom.core.address import Address
from bankloom.core.db import Database
from bankloom.services.copies import copy_session, table_hashes
from commands import COMMAND
from harness import ServiceProcess, environment_for, settings_for, wait_until
from scenes import SYNC_PATH, assert_equals_ledger, linked, person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bankloom.services.copies.table_hashes import TableHash
    from harness import Api
    from platypus_bank.testing import Running

OURS = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'bank%%'"


@dataclass(frozen=True)
class Place:
    """A data folder and a database, the embedded one where `url` is empty."""

    bank: Running
    data_dir: Path
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a command here; a worker is soon believed dead."""
        more = {"lease_seconds": 10, "worker_silent_seconds": 3}
        settings = settings_for(self.bank.url, self.url, self.data_dir, **more)
        return {"BANKLOOM_DATABASE_URL": "", **environment_for(settings)}

    def at(self, url: str) -> Place:
        """The same data folder with another database."""
        return replace(self, url=url)

    @contextmanager
    def serving(self) -> Iterator[Api]:
        """Run the service here, as a process."""
        process = ServiceProcess(self.environment)
        try:
            yield process.api
        finally:
            self.bank.control.clear_faults()
            process.stop()

    @contextmanager
    def looking(self) -> Iterator[psycopg.Connection]:
        """Look into the database as its owner."""
        settings = settings_for(self.bank.url, self.url, self.data_dir)
        with closing(Database.open(settings)) as database:
            database.engine.dispose()
            with psycopg.connect(database.address.conninfo, autocommit=True) as connection:
                yield connection

    def hashes(self) -> dict[str, TableHash]:
        """Count and hash every table."""
        settings = settings_for(self.bank.url, self.url, self.data_dir)
        with closing(Database.open(settings)) as database:
            return hashes(database.address.url)

    def take_keyring_of(self, other: Place) -> None:
        """Bring the keyring along, as a person has to."""
        self.data_dir.mkdir(mode=0o711, exist_ok=True)
        (self.data_dir / "keyring").write_text((other.data_dir / "keyring").read_text())


def hashes(url: str) -> dict[str, TableHash]:
    """Count and hash every table of a database, but the audit log: it tells of its copying."""
    with copy_session.opened(Address.parse(url)) as connection:
        found = table_hashes.of(connection)
    return {name: each for name, each in found.items() if name != "bankloom.audit_entries"}


def noted(url: str) -> list[tuple[str, str]]:
    """Return (action, actor) of the audit log, the oldest first."""
    with psycopg.connect(url) as connection:
        query = "SELECT action, actor FROM bankloom.audit_entries ORDER BY at"
        return connection.execute(query).fetchall()


def is_empty(url: str) -> bool:
    """Say whether a database has none of our schemas."""
    with psycopg.connect(url) as connection:
        return connection.execute(OURS).fetchone() == (0,)


def linked_and_synced(api: Api, bank: Running, count: int = 700) -> str:
    """Link a bank with so many transactions and wait until all are stored; return the Item."""
    item_id = linked(api, bank, **person())
    bank.control.bulk(item_id, count)
    api.sync_until_complete(item_id)
    assert_equals_ledger(api, bank, item_id)
    return item_id


def assert_goes_on(place: Place, item_id: str) -> None:
    """Start here: what came meanwhile is fetched from the stored cursor on, nothing lost or doubled."""
    bank = place.bank
    with place.looking() as database:
        (stored,) = database.execute("SELECT cursor FROM bankloom.item_products").fetchone() or (
            "",
        )
    bank.control.bulk(item_id, 30)
    bank.control.forget_calls()
    with place.serving() as api:
        expected = len(bank.control.ledger(item_id)["transactions"])
        wait_until(lambda: api.sync(item_id)["status"] in {"synced", "up_to_date"})
        wait_until(lambda: len(api.transactions(item_id=item_id)) == expected)
        assert_equals_ledger(api, bank, item_id)
    assert stored
    assert bank.control.calls(SYNC_PATH)[0]["cursor"] == stored


def started(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start a command, to be killed."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def held_in_the_middle(url: str) -> Iterator[None]:
    """Let whoever fills this database wait in the middle, with some of it done."""
    with psycopg.connect(url) as holder:
        holder.execute("CREATE SCHEMA bankloom_jobs")
        yield
        holder.rollback()


def waits_for_a_lock(url: str) -> bool:
    """Say whether somebody in that database waits for a lock."""
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone() != (0,)
