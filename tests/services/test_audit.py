"""The audit log's chain: written with what it tells of, sealed once, and every tampering is found."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from bankloom.core.keyring import Keyring
from bankloom.models.audit_entry import AuditEntry
from bankloom.services import audit, seal_audit, tick, verify_audit
from bankloom.services.audit import Action
from scenes import executed, query

if TYPE_CHECKING:
    import io
    from pathlib import Path
    from typing import Any

    from bankloom.models.audit_entry import Link
    from bankloom.services.runtime import Runtime
    from bankloom.services.verify_audit import Verdict


def note(runtime: Runtime, item_id: str = "item", **facts: Any) -> None:
    with runtime.database.session() as session:
        audit.note(runtime, session, Action.SYNC_ASKED, item_id=item_id, **facts)


def verdict(runtime: Runtime, *seen: Link) -> Verdict:
    with runtime.database.session() as session:
        return verify_audit.now(runtime.keyring, session, seen)


@pytest.fixture
def sealed(parts: Runtime) -> Runtime:
    """Parts with five sealed entries."""
    for number in range(5):
        note(parts, f"item {number}", number=number, user=uuid.uuid4(), name="Ada Ünï \U0001f600")
    seal_audit.now(parts)
    return parts


def tamper(session: Session, *statements: str) -> None:
    """Change the log as whoever owns the database can."""
    session.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))
    for statement in statements:
        session.execute(text(statement))
    session.execute(text("ALTER TABLE audit_entries ENABLE TRIGGER USER"))


def test_the_tick_seals(parts: Runtime) -> None:
    """Entries are good before and after; the data folder remembers the end."""
    note(parts)
    note(parts)
    assert (verdict(parts).unsealed, verdict(parts).why) == (2, None)
    tick.now(parts, [])
    found = verdict(parts)
    assert (found.sealed, found.unsealed, found.why) == (2, 0, None)
    assert seal_audit.remembered(parts.settings.data_dir) == found.end


def test_an_entry_costs_one_statement(parts: Runtime) -> None:
    """An INSERT, and no lock that another commit would wait for."""
    with parts.database.session() as waiting, executed(parts) as statements:
        audit.note(parts, waiting, Action.SYNC_ASKED)
        assert [statement.split()[0] for statement, _ in statements] == ["INSERT"]
        note(parts)  # while the other is not committed
        seal_audit.now(parts)
    seal_audit.now(parts)
    found = verdict(parts)
    assert (found.sealed, found.why) == (2, None)
    rows = query(parts, "SELECT at FROM audit_entries ORDER BY seq")
    assert rows[0].at > rows[1].at, "the one that was committed late is chained when it is seen"


def test_what_is_rolled_back_leaves_no_entry(parts: Runtime) -> None:
    """No action, no entry."""

    def fail() -> None:
        with parts.database.session() as session:
            audit.note(parts, session, Action.SYNC_ASKED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert query(parts, "SELECT id FROM audit_entries") == []


def test_an_entry_is_small(parts: Runtime) -> None:
    """Whoever chose the words in it."""
    note(parts.acting_for("x" * 9999), words="y" * 9999, listed=["z" * 9999] * 999)
    (size,) = query(parts, "SELECT length(actor) + length(facts::text) FROM audit_entries")[0]
    assert size < audit.TEXT_MAX * (audit.LISTED_MAX + 3)
    assert verdict(parts).why is None


REFUSED = (
    "UPDATE audit_entries SET actor = 'another' WHERE seq = 1",
    "UPDATE audit_entries SET seq = 9 WHERE seq = 1",
    "DELETE FROM audit_entries WHERE seq = 5",
    "TRUNCATE audit_entries",
    """UPDATE audit_entries SET seq = 6, hash = '', facts = '{"a": 1}' WHERE seq IS NULL""",
    "UPDATE audit_entries SET actor = 'another' WHERE seq IS NULL",
    "DELETE FROM audit_entries WHERE seq IS NULL",
)


def test_it_is_append_only(sealed: Runtime) -> None:
    """The database refuses to change, take out and empty, sealed or not."""
    note(sealed)
    for statement in REFUSED:
        with pytest.raises(DBAPIError, match="append-only"):
            query(sealed, statement)
    assert verdict(sealed).why is None


FORGERY = """
    INSERT INTO audit_entries (id, at, actor, action, facts, mac)
    SELECT gen_random_uuid(), now(), actor, action, facts, mac FROM audit_entries WHERE seq = 1
"""
SWAPPED = (
    "UPDATE audit_entries SET seq = seq + 100 WHERE seq IN (2, 3)",
    "UPDATE audit_entries SET seq = 105 - seq WHERE seq > 100",
)
TAMPERED = {
    "an actor": (["UPDATE audit_entries SET actor = 'another' WHERE seq = 3"], 3, "changed"),
    "a time": (["UPDATE audit_entries SET at = at - interval '1 s' WHERE seq = 3"], 3, "changed"),
    "an action": (["UPDATE audit_entries SET action = 'other' WHERE seq = 1"], 1, "changed"),
    "an Item": (["UPDATE audit_entries SET item_id = NULL WHERE seq = 5"], 5, "changed"),
    "a fact": (
        ["""UPDATE audit_entries SET facts = facts || '{"number": 7}' WHERE seq = 2"""],
        2,
        "changed",
    ),
    "a hash": (["UPDATE audit_entries SET hash = '\\x00' WHERE seq = 2"], 2, "follow"),
    "a row is gone": (["DELETE FROM audit_entries WHERE seq = 3"], 3, "missing"),
    "a row is gone, and the gap closed": (
        [
            "DELETE FROM audit_entries WHERE seq = 3",
            "UPDATE audit_entries SET seq = 3 WHERE seq = 4",
            "UPDATE audit_entries SET seq = 4 WHERE seq = 5",
        ],
        3,
        "follow",
    ),
    "the first is gone": (["DELETE FROM audit_entries WHERE seq = 1"], 1, "missing"),
    "two are swapped": (SWAPPED, 2, "follow"),
    "one is put in": ([FORGERY], None, "did not write"),
    "the end is cut": (["DELETE FROM audit_entries WHERE seq > 3"], 5, "cut"),
    "all is gone": (["DELETE FROM audit_entries"], 5, "cut"),
}


def test_tampering_is_found(sealed: Runtime) -> None:
    """By whoever may do everything in the database, but has not the keyring; each on its own."""
    kept = seal_audit.remembered(sealed.settings.data_dir)
    assert kept is not None
    assert verdict(sealed, kept).why is None
    for what, (statements, seq, why) in TAMPERED.items():
        with Session(sealed.database.engine) as session:  # which is rolled back
            tamper(session, *statements)
            found = verify_audit.now(sealed.keyring, session, [kept])
        assert (found.broken_at, why in (found.why or "")) == (seq, True), (what, found)
    assert verdict(sealed, kept).why is None


def test_a_forgery_is_not_sealed_into_truth(sealed: Runtime) -> None:
    """The sealing goes on behind it, and it is found at its place."""
    with sealed.database.session() as session:
        tamper(session, FORGERY)
    note(sealed)
    seal_audit.now(sealed)
    found = verdict(sealed)
    assert (found.broken_at, found.why) == (6, verify_audit.FORGED)


def test_a_cut_end_is_found_after_the_log_went_on(sealed: Runtime, log: io.StringIO) -> None:
    """What was seen is kept as evidence, the log is told, and new entries are sealed all the same."""
    folder: Path = sealed.settings.data_dir
    kept = seal_audit.remembered(folder)
    assert kept is not None
    with sealed.database.session() as session:
        tamper(session, "DELETE FROM audit_entries WHERE seq > 3")
    for _ in range(4):
        note(sealed)
    seal_audit.now(sealed)
    assert seal_audit.remembered(folder) == kept
    assert "tampered" in log.getvalue()
    assert verdict(sealed).why is None, "without what was seen nothing is missing"
    assert verdict(sealed, kept).why == verify_audit.OTHER


def test_another_keyring_proves_nothing(sealed: Runtime, tmp_path: Path) -> None:
    """The key of the log is derived from the index key, and from nothing that the database holds."""
    entry = AuditEntry(**query(sealed, "SELECT * FROM audit_entries LIMIT 1")[0]._asdict())
    keyring = sealed.keyring
    assert entry.mac == audit.mac_of(keyring, entry)
    assert keyring.derive("another purpose") != keyring.derive(audit.PURPOSE)
    chosen = (audit.PURPOSE, f"bankloom {audit.PURPOSE}")
    assert keyring.derive(audit.PURPOSE).hex() not in map(keyring.hash, chosen)
    other = Keyring.load_or_create(tmp_path / "keyring")
    assert entry.mac != audit.mac_of(other, entry)


def test_many_writers_give_one_chain(parts: Runtime) -> None:
    """Eight at once, and three that seal meanwhile: nothing fails, is lost or chained twice."""

    def write(writer: int) -> None:
        for number in range(15):
            note(parts, f"item {writer}", number=number)

    def seal(_: int) -> None:
        for _ in range(10):
            seal_audit.now(parts)

    with ThreadPoolExecutor(11) as pool:
        done = [*pool.map(write, range(8)), *pool.map(seal, range(3))]
    assert len(done) == 11
    seal_audit.now(parts)
    found = verdict(parts)
    assert (found.sealed, found.unsealed, found.why) == (120, 0, None)
    assert seal_audit.remembered(parts.settings.data_dir) == found.end


def test_a_sealing_that_is_killed_is_done_again(parts: Runtime) -> None:
    """Its connection is cut between its statement and its commit: nothing is half sealed."""
    note(parts)
    note(parts)

    def cut(connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "UPDATE audit_entries" in statement:
            pid = connection.connection.driver_connection.info.backend_pid
            event.remove(parts.database.engine, "after_cursor_execute", cut)
            query(parts, "SELECT pg_terminate_backend(:pid, 5000)", pid=pid)

    event.listen(parts.database.engine, "after_cursor_execute", cut)
    with pytest.raises(OperationalError):
        seal_audit.now(parts)
    found = verdict(parts)
    assert (found.sealed, found.unsealed, found.why) == (0, 2, None)
    seal_audit.now(parts)
    assert verdict(parts).sealed == 2
