"""The second wall, tried by crossing it: raw SQL in sessions that the database confines to a user."""

from __future__ import annotations

import time
import uuid
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import select, text

from bankloom import migrations
from bankloom.core.address import Address
from bankloom.core.confined import PASS_SECONDS, PassRefusedError, signed_pass
from bankloom.models import Base, PassKey, Transaction, TransactionFilter, page_of_transactions
from bankloom.opening import open_runtime
from bankloom.services import confined_grants, second_wall
from bankloom.services.copies import back_up, fill_database
from bankloom.services.copies.restore_backup import Backup
from bankloom.services.doctor import examine
from bankloom.services.doctor.findings import Standing
from bankloom.services.reader_role import reader_address
from harness import settings_for
from scenes import query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from bankloom.core.embedded_postgres import EmbeddedPostgres
    from bankloom.services.runtime import Runtime
    from bankloom.services.second_wall import Wall

    Raw = psycopg.Connection[tuple[Any, ...]]

ADA, GRACE = uuid.UUID(int=0xADA), uuid.UUID(int=0x62ACE)
DATABASE = "two_walls"
READ = [table for table, may in confined_grants.CONFINED.items() if "SELECT" in may]
NOWHERE = "http://127.0.0.1:9"
ROWS = """
    INSERT INTO users (id, name) VALUES (:id, :name);
    INSERT INTO items (item_id, user_id, environment, base_url, client_id, access_token_sealed,
        access_token_hash)
        VALUES (:item, :id, 'sandbox', :nowhere, 'test-client', :sealed, :hash);
    INSERT INTO item_products (item_id, product) VALUES (:item, 'transactions');
    INSERT INTO accounts (account_id, item_id, name, type) VALUES (:account, :item, 'Checking', 'depository');
    INSERT INTO balance_snapshots (account_id, date, taken_at) VALUES (:account, '2026-01-01', now());
    INSERT INTO transactions (transaction_id, account_id, item_id, user_id, lineage_id, amount, date, pending,
        payload, created_at, updated_at)
        SELECT :name || n, :account, :item, :id, 'l', n, date '2026-01-01' + n % 300, false, '', now(), now()
        FROM generate_series(1, 400) n;
    INSERT INTO sync_runs (item_id, trigger, status, requested_at) VALUES (:item, 'person', 'synced', now());
    INSERT INTO link_sessions (id, user_id, world, products, link_token_hash, expires_at)
        VALUES (:id, :id, 'world', '{}', 'link of ' || :name, now());
    INSERT INTO exchange_claims (public_token_hash, user_id, world, product, lease_until)
        VALUES ('claim of ' || :name, :id, 'world', 'transactions', now());
    INSERT INTO webhook_deliveries (jwt_hash, kid, issued_at, received_at, webhook_type, webhook_code,
        item_id, body_sealed)
        VALUES ('jwt of ' || :name, 'kid', now(), now(), 'ITEM', 'ERROR', :item, :body);
    INSERT INTO erasures (id, subject, subject_hash, user_id, asked_at, asked_by, lease_until)
        VALUES (:id, 'item', 'hash of ' || :name, :id, now(), :name, now());
    INSERT INTO audit_entries (id, at, actor, action, user_id, facts, mac)
        VALUES (:id, now(), :name, 'item.linked', :id, '{}', '');
    INSERT INTO api_keys (name, prefix, key_hash, user_id) VALUES (:name, 'bl_' || :name, 'hash', :id);
"""


@pytest.fixture(scope="module")
def walled(
    cluster: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    """The opened parts over two people who own a row of each table; what a test does is rolled back."""
    with database(cluster, DATABASE) as url:
        settings = settings_for(NOWHERE, url, tmp_path_factory.mktemp("walled") / "data")
        with closing(open_runtime(settings)) as runtime:
            for user_id, name in ((ADA, "ada"), (GRACE, "grace")):
                store(runtime, user_id, name)
            yield runtime


@contextmanager
def database(cluster: EmbeddedPostgres, name: str, owner: str = "bankloom") -> Iterator[str]:
    template = "bankloom" if owner == "bankloom" else "template1"
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {owner}")
        yield cluster.url.replace("/bankloom?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def store(runtime: Runtime, user_id: uuid.UUID, name: str) -> None:
    given = {"id": user_id, "name": name, "nowhere": NOWHERE}
    item = f"item of {name}"
    token = {"sealed": runtime.keyring.seal(name, item), "hash": runtime.keyring.hash(name)}
    token["body"] = runtime.keyring.seal("{}", f"jwt of {name}")
    given |= {"item": item, "account": f"account of {name}", **token}
    with runtime.database.session() as session:
        for statement in ROWS.split(";\n"):
            if statement.strip():
                session.execute(text(statement), given)
        session.execute(text("ANALYZE"))


class RolledBack(Exception):  # noqa: N818 - it is no error
    """Ends a session that changed something."""


@contextmanager
def as_ada(runtime: Runtime) -> Iterator[Session]:
    """Give a session that is confined to Ada; nothing of it stays."""
    with (
        suppress(RolledBack),
        runtime.confined_to(ADA, "ada's key").database.session() as session,
    ):
        yield session
        raise RolledBack


@pytest.fixture
def ada(walled: Runtime) -> Iterator[Raw]:
    """The connection of a session that is confined to Ada, for SQL of an attacker's choice."""
    with as_ada(walled) as session:
        connection: Raw = session.connection().connection.driver_connection  # type: ignore[assignment]
        yield connection


@pytest.fixture
def stranger(walled: Runtime) -> Iterator[Raw]:
    """A connection of the confined role that shows no pass: somebody has got hold of its password."""
    assert walled.wall.pool is not None
    with psycopg.connect(walled.wall.pool.address.conninfo, autocommit=True) as connection:
        yield connection


def key_of(runtime: Runtime) -> bytes:
    return runtime.keyring.derive(second_wall.PASSES)


# Which rows


@pytest.mark.parametrize("table", READ)
def test_of_each_table_only_own_rows_are_seen(walled: Runtime, ada: Raw, table: str) -> None:
    """Without any owner filter in the query: the first wall is down."""
    whole = query(walled, f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608
    seen = ada.execute(f"SELECT count(*), string_agg(t::text, ' ') FROM {table} t").fetchone()  # noqa: S608
    assert seen is not None
    assert seen[0] * 2 == whole > 1
    assert "grace" not in seen[1]
    assert str(GRACE) not in seen[1]


def test_a_query_that_forgot_its_filter_finds_own_rows(walled: Runtime) -> None:
    """The page of transactions of everyone, asked for in a user's session, is that user's."""
    with as_ada(walled) as session:
        rows = page_of_transactions(session, TransactionFilter(), None, 1000)
        assert len(rows) == 400
        assert {row.user_id for row, _ in rows} == {ADA}


@pytest.mark.parametrize("table", confined_grants.CONFINED)
def test_another_users_rows_can_not_be_changed(ada: Raw, table: str) -> None:
    """No UPDATE or DELETE of any kind reaches them."""
    privileges = confined_grants.CONFINED[table]
    for column in privileges.get("UPDATE", ()):
        changed = ada.execute(f"UPDATE {table} t SET {column} = {column} WHERE t::text ~ 'grace'")  # noqa: S608
        assert changed.rowcount == 0
    if "DELETE" in privileges:
        assert ada.execute(f"DELETE FROM {table} t WHERE t::text ~ 'grace'").rowcount == 0  # noqa: S608
    else:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ada.execute(f"DELETE FROM {table}")  # noqa: S608


LINK = "INSERT INTO link_sessions (world, products, link_token_hash, expires_at, user_id, item_id) VALUES"
CLAIM = (
    "INSERT INTO exchange_claims (world, product, lease_until, public_token_hash, user_id, link_session_id)"
    " VALUES ('world', 'auth', now(),"
)
DEFER = "SELECT bankloom.defer_unless_waiting"
AUDIT = "INSERT INTO audit_entries (id, at, actor, action, facts, mac, user_id) VALUES"
HER_ARGS = '{{"item_id": "item of grace"}}'
HERS = [
    "INSERT INTO items SELECT 'new', '{grace}', 'ins', 'e', 'b', 'c', 'sealed', 'h'",
    "UPDATE items SET user_id = '{grace}'",
    "INSERT INTO item_products (item_id, product) VALUES ('item of grace', 'auth')",
    "INSERT INTO accounts (account_id, item_id, name, type) VALUES ('a', 'item of grace', 'n', 't')",
    "INSERT INTO sync_runs (item_id, trigger, requested_at) VALUES ('item of grace', 't', now())",
    "INSERT INTO transactions SELECT * FROM transactions",
    f"{LINK} ('w', '{{{{}}}}', 'h', now(), '{{grace}}', NULL)",
    f"{LINK} ('w', '{{{{}}}}', 'h', now(), '{{ada}}', 'item of grace')",
    f"{CLAIM} 'h', '{{grace}}', NULL)",
    f"{CLAIM} 'h', '{{ada}}', '{{grace}}')",
    f"{CLAIM} 'claim of grace', '{{ada}}', NULL) ON CONFLICT (public_token_hash) DO UPDATE SET product = ''",
    "UPDATE exchange_claims SET item_id = 'item of grace'",
    "UPDATE exchange_claims SET duplicate_of = 'item of grace'",
    f"{AUDIT} (gen_random_uuid(), now(), 'ada', 'token.told', '{{{{}}}}', '', '{{grace}}')",
    f"{AUDIT} (gen_random_uuid(), now(), 'ada', 'token.told', '{{{{}}}}', '', NULL)",
    "INSERT INTO users (name) VALUES ('third')",
    "UPDATE users SET name = 'grace'",
    "COPY link_sessions FROM STDIN",
    f"{DEFER}('sync_item', 'items', 'item of grace', 'item of grace', '{HER_ARGS}')",
    f"{DEFER}('sync_item', 'items', 'item of ada', 'item of ada', '{HER_ARGS}')",
    f"{DEFER}('ticks', 'ticks', 'ticks', NULL, '{{{{}}}}')",
]


@pytest.mark.parametrize("sql", HERS, ids=range(len(HERS)))
def test_nothing_is_written_in_anothers_name(ada: Raw, sql: str) -> None:
    """No row of hers, none that names an Item or a session of hers, and no job for her Item."""
    refusals = (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)
    with pytest.raises(refusals), ada.transaction():
        ada.execute(sql.format(ada=ADA, grace=GRACE))


def test_own_runs_are_asked_for(ada: Raw) -> None:
    """What a route needs goes through: the run, the due tag and the engine's wake-up."""
    ada.execute("SELECT request_run('item of ada', 'person', now(), true, false, false)")
    assert ada.execute("SELECT count(*) FROM sync_runs WHERE status = 'queued'").fetchone() == (1,)


def test_for_anothers_item_no_run_is_asked_for(walled: Runtime, ada: Raw) -> None:
    """It is as if it had been removed: no run, no due tag, no job."""
    asked = "SELECT request_run('item of grace', 'person', now(), true, false, false)"
    assert ada.execute(asked).fetchone() == (None,)
    assert not query(walled, "SELECT FROM procrastinate_jobs")


# The pass


def test_without_a_pass_nothing_is_seen(stranger: Raw) -> None:
    """The role's password alone opens no row, and changes none."""
    for table in READ:
        assert stranger.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608
    assert stranger.execute("UPDATE items SET run_id = NULL").rowcount == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stranger.execute(
            "INSERT INTO item_products (item_id, product) VALUES ('item of ada', 'auth')"
        )


def test_only_a_valid_pass_of_this_connection_opens(walled: Runtime, stranger: Raw) -> None:
    """Neither a plain user id, nor a forged, expired, changed or borrowed one."""
    key, backend, until = key_of(walled), stranger.info.backend_pid, int(time.time()) + 60
    valid = signed_pass(key, ADA, backend, until)
    said, _, signature = valid.rpartition(".")
    with as_ada(walled) as session:
        borrowed = session.execute(text("SELECT current_setting('bankloom.pass')")).scalar_one()
    assert seen(stranger, valid) == ADA
    refused = [
        "",
        str(ADA),
        said,
        f"{said}.{'0' * 64}",
        f"{said}.{signature[:-1]}",
        f"{said}.{signature.upper()}x",
        valid.replace(str(ADA), str(GRACE)),
        signed_pass(b"another key", ADA, backend, until),
        signed_pass(b"", ADA, backend, until),
        signed_pass(key, ADA, backend, int(time.time()) - 1),
        signed_pass(key, ADA, backend + 1, until),
        borrowed,
        "x" * 100_000,
        f"{'-' * 36}.{backend}.{until}.{'0' * 64}",
        f"{ADA}.9999999999.999999999999.{'0' * 64}",
    ]
    for shown in refused:
        assert seen(stranger, shown) is None, shown[:200]


def seen(connection: Raw, shown: str) -> uuid.UUID | None:
    """Show a pass by hand, as an attacker would; return whose rows are seen."""
    connection.execute("SELECT set_config('bankloom.pass', %s, false)", [shown])
    row = connection.execute("SELECT min(id::text)::uuid FROM users").fetchone()
    return row[0] if row else None


def test_a_pass_lasts_longer_than_any_request_and_not_for_ever(walled: Runtime) -> None:
    """It ends by the clock of the database, an hour after it was signed."""
    with as_ada(walled) as session:
        shown = session.execute(text("SELECT current_setting('bankloom.pass')")).scalar_one()
    left = int(shown.split(".")[2]) - time.time()
    assert PASS_SECONDS - 60 < left <= PASS_SECONDS


def test_a_refused_pass_is_said_and_not_taken_for_no_rows(walled: Runtime) -> None:
    """Another process with another keyring has changed the key: an error, not an empty list."""
    with walled.database.session() as session:
        PassKey.put(session, b"another key")
    try:
        with pytest.raises(PassRefusedError), as_ada(walled):
            pytest.fail("confined to nobody")
    finally:
        with walled.database.session() as session:
            PassKey.put(session, key_of(walled))


# Ways out


@pytest.mark.parametrize(
    "sql",
    [
        "SET ROLE bankloom",
        "SET SESSION AUTHORIZATION bankloom",
        "SET ROLE postgres",
        "SELECT * FROM bankloom.pass_key",
        "COPY bankloom.pass_key TO STDOUT",
        "SELECT * FROM bankloom.api_keys",
        "SELECT * FROM bankloom.audit_entries",
        "UPDATE bankloom.audit_entries SET seq = 1",
        "SELECT * FROM bankloom.balance_snapshots",
        "SELECT * FROM bankloom.transaction_staging",
        "SELECT * FROM bankloom.plaid_budgets",
        "SELECT * FROM bankloom.alembic_version",
        "SELECT * FROM bank.transactions",
        "SELECT * FROM bankloom_jobs.procrastinate_jobs",
        "SELECT bankloom_jobs.procrastinate_defer_jobs_v1(NULL)",
        "SET row_security = off; SELECT * FROM bankloom.items",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY bankloom.institutions FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_statistic",
        "SELECT * FROM pg_largeobject",
        "SELECT * FROM pg_user_mapping",
        "ALTER TABLE bankloom.items DISABLE ROW LEVEL SECURITY",
        "DROP POLICY confined ON bankloom.items",
        "CREATE POLICY mine ON bankloom.items USING (true)",
        "ALTER ROLE CURRENT_USER BYPASSRLS",
        "CREATE ROLE another",
        "GRANT bankloom TO CURRENT_USER",
        "CREATE TABLE bankloom.mine (one int)",
        "CREATE TABLE public.mine (one int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION bankloom.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER FUNCTION bankloom.confined_user() SECURITY INVOKER",
        "DROP FUNCTION bankloom.confined_user() CASCADE",
        "DROP EXTENSION plpgsql",
        "CREATE TRIGGER t BEFORE INSERT ON items EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE RULE r AS ON SELECT TO bankloom.items DO INSTEAD NOTHING",
        "TRUNCATE bankloom.exchange_claims",
        "LOCK TABLE bankloom.users IN ACCESS EXCLUSIVE MODE",
        "DO $$ BEGIN EXECUTE 'SET ROLE bankloom'; END $$",
        "DO $$ BEGIN PERFORM * FROM bankloom.pass_key; END $$",
        "ALTER DATABASE two_walls SET search_path = pg_temp",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bankloom'",
    ],
)
def test_no_statement_leads_out(ada: Raw, sql: str) -> None:
    """Whatever an injected statement tries, it is refused, and Grace's rows are as hidden as before."""
    with pytest.raises(psycopg.Error) as caught, ada.transaction():
        ada.execute(sql)
    refusals = (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidObjectDefinition)
    assert isinstance(caught.value, (*refusals, psycopg.errors.UndefinedFile)), caught.value
    assert ada.execute("SELECT name FROM users").fetchall() == [("ada",)]


@pytest.mark.parametrize(
    "sql",
    ["RESET ROLE", "SET SESSION AUTHORIZATION DEFAULT", "SET ROLE NONE", "RESET ALL", "SELECT 1"],
)
def test_there_is_no_role_to_go_back_to(ada: Raw, sql: str) -> None:
    """The session has logged in as the confined role: resetting leads there again."""
    ada.execute(sql)
    role = ada.execute("SELECT current_user, session_user").fetchone()
    assert role == (f"{DATABASE}_confined",) * 2
    assert set(ada.execute("SELECT name FROM users").fetchall()) <= {("ada",)}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT most_common_vals::text FROM pg_stats WHERE schemaname = 'bankloom'",
        "SELECT histogram_bounds::text FROM pg_stats WHERE schemaname = 'bankloom'",
        "SELECT query FROM pg_stat_activity WHERE usename = 'bankloom'",
        "SELECT prosrc FROM pg_proc WHERE proname = 'confined_user'",
        "SELECT rolpassword FROM pg_roles",
        "SELECT coalesce(current_setting('bankloom.pass', true), '')",
    ],
)
def test_the_catalogs_tell_nothing_of_others(walled: Runtime, ada: Raw, sql: str) -> None:
    """Neither samples of columns, nor what other sessions ask, nor a key."""
    told = str(ada.execute(sql).fetchall())
    assert "grace" not in told
    assert str(GRACE) not in told
    assert key_of(walled).hex() not in told


def test_a_function_of_ones_own_sees_no_hidden_row(ada: Raw) -> None:
    """A cheap function in a filter would be called before the policy, were it not a barrier."""
    ada.execute(
        "CREATE FUNCTION pg_temp.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS"
        " $$ BEGIN RAISE WARNING '%', $1; RETURN true; END $$"
    )
    peeked: list[str] = []
    ada.add_notice_handler(lambda notice: peeked.append(notice.message_primary or ""))
    assert ada.execute("SELECT name FROM users WHERE pg_temp.peek(name)").fetchall() == [("ada",)]
    assert peeked == ["ada"]


def test_what_a_session_leaves_behind_is_gone_in_the_next(walled: Runtime) -> None:
    """A temporary table in place of ours, a search path, a pass, a prepared statement, a lock."""
    confined = walled.confined_to(ADA, "ada's key").database
    with confined.session() as session:
        left: Raw = session.connection().connection.driver_connection  # type: ignore[assignment]
        backend = left.info.backend_pid
        left.execute("CREATE TEMP TABLE users AS SELECT 1 AS id, 'nobody' AS name")
        left.execute("SET search_path = pg_temp")
        left.execute("SELECT set_config('bankloom.pass', current_setting('bankloom.pass'), false)")
        left.execute("PREPARE mine AS SELECT 1")
        left.execute("SELECT pg_advisory_lock(1)")
    with walled.confined_to(GRACE, "grace's key").database.session() as session:
        now: Raw = session.connection().connection.driver_connection  # type: ignore[assignment]
        assert now.info.backend_pid == backend, "the pool gave another connection"
        assert now.execute("SELECT name FROM users").fetchall() == [("grace",)]
        assert now.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        mine = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        assert now.execute(mine).fetchone() == (0,)


def test_a_temporary_table_does_not_stand_in_for_ours(ada: Raw) -> None:
    """Within its own session neither: temporary names are looked for last."""
    ada.execute("CREATE TEMP TABLE users AS SELECT 1 AS id, 'nobody' AS name")
    assert ada.execute("SELECT name FROM users").fetchall() == [("ada",)]
    assert ada.execute("SELECT bankloom.confined_user()").fetchone() == (ADA,)


# All tables


def test_every_table_is_confined_shared_or_closed(walled: Runtime) -> None:
    """A new table can't be forgotten: it is on one of three lists, and is as that list says."""
    lists = [*confined_grants.CONFINED, *confined_grants.SHARED, *confined_grants.CLOSED]
    assert sorted(lists) == sorted(table.name for table in Base.metadata.tables.values())
    policies = query(
        walled,
        "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid"
        " WHERE relrowsecurity AND NOT relforcerowsecurity AND polroles = '{0}'",
    )
    confined = {name for (name,) in policies}
    assert set(confined_grants.CONFINED) <= confined
    personal = {
        table.name
        for table in Base.metadata.tables.values()
        if set(table.columns.keys()) & {"user_id", "item_id", "account_id"}
    }
    assert personal - confined == {"transaction_staging"}  # COPY needs it without


def test_the_role_may_nothing_that_is_not_listed(walled: Runtime) -> None:
    """No table, sequence or column of any schema but what is granted by name."""
    granted = query(
        walled,
        "SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname IN ('bankloom', 'bankloom_jobs', 'bank', 'public') AND relkind <> 'i'"
        " AND (has_any_column_privilege(:role, pg_class.oid, 'SELECT, INSERT, UPDATE, REFERENCES')"
        " OR has_table_privilege(:role, pg_class.oid, 'DELETE, TRUNCATE, TRIGGER'))",
        role=walled.wall.role,
    )
    wanted = {("bankloom", table) for table, *_ in confined_grants.wanted()}
    assert {tuple(row) for row in granted} == wanted


@pytest.mark.parametrize("after", [None, ("2026-06-01", "ada150")])
def test_a_page_of_transactions_is_still_an_index_range(
    walled: Runtime, after: tuple[str, str] | None
) -> None:
    """The policy is one check a statement beside the index of the newest rows, in which pages begin."""
    begins = "AND (date, transaction_id) < (CAST(:date AS date), :id)" if after else ""
    explained = text(
        "EXPLAIN (COSTS off) SELECT * FROM bankloom.transactions WHERE user_id = :user AND removed_at IS"  # noqa: S608
        f" NULL {begins} ORDER BY date DESC, transaction_id DESC LIMIT 101"
    )
    given = {"user": ADA} | dict(zip(("date", "id"), after or (), strict=False))
    with as_ada(walled) as session:
        plan = "\n".join(session.scalars(explained, given))
    assert "Index Scan using transactions_newest_idx" in plan, plan
    assert "Sort" not in plan
    assert plan.count("  InitPlan 1\n") == 1
    assert "One-Time Filter" in plan  # not one check a row
    if after:
        index_condition = next(line for line in plan.splitlines() if "Index Cond" in line)
        assert "transaction_id" in index_condition, plan


# How it is made


def test_a_second_start_changes_nothing(walled: Runtime) -> None:
    """The role and its grants are there; only its login is tried."""
    catalogs = (
        "SELECT xmin::text || ctid::text FROM pg_class WHERE relnamespace = 'bankloom'::regnamespace"
        " UNION ALL SELECT xmin::text || ctid::text FROM pg_attribute WHERE attacl IS NOT NULL UNION ALL"
        " SELECT xmin::text || ctid::text FROM pass_key"
    )
    before = query(walled, catalogs)
    assert started(walled).is_standing
    assert looked_at(walled).is_standing
    assert query(walled, catalogs) == before


def test_grants_are_put_right_at_the_next_start(walled: Runtime) -> None:
    """What was granted beyond the list, or taken away, is as listed again; a look only says so."""
    query(walled, f"GRANT SELECT ON api_keys TO {walled.wall.role}")
    query(walled, f"REVOKE SELECT ON accounts FROM {walled.wall.role}")  # noqa: S608
    for _ in range(2):
        assert "grants" in (looked_at(walled).problem or "")
    assert started(walled).is_standing
    with as_ada(walled) as session:
        assert session.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 1
    assert not query(
        walled, "SELECT WHERE has_table_privilege(:r, 'api_keys', 'SELECT')", r=walled.wall.role
    )


def test_a_role_that_could_lead_out_is_no_wall(walled: Runtime, cluster: EmbeddedPostgres) -> None:
    """One that bypasses row-level security, or is a member of another, is said to be none."""
    role = walled.wall.role
    for bad, good, problem in (
        (f"ALTER ROLE {role} BYPASSRLS", f"ALTER ROLE {role} NOBYPASSRLS", "more than it should"),
        (f"GRANT pg_monitor TO {role}", f"REVOKE pg_monitor FROM {role}", "member of others"),
    ):
        with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
            admin.execute(bad)
            for wall in (started(walled), looked_at(walled)):
                assert not wall.is_standing
                assert problem in (wall.problem or "")
            admin.execute(good)
        assert started(walled).is_standing


def test_a_password_of_an_older_keyring_is_set_anew(walled: Runtime) -> None:
    """A database of the same name was here before, with a role that its keyring opened."""
    query(walled, f"ALTER ROLE {walled.wall.role} PASSWORD 'of another keyring'")
    for _ in range(2):
        assert "password" in (looked_at(walled).problem or "")
    assert started(walled).is_standing
    assert looked_at(walled).is_standing


def started(walled: Runtime) -> Wall:
    """Return the wall as a start builds it."""
    return closed(second_wall.build(walled.database, walled.keyring))


def looked_at(walled: Runtime) -> Wall:
    """Return the wall as the doctor finds it."""
    return closed(second_wall.look(walled.database, walled.keyring))


def closed(wall: Wall) -> Wall:
    if wall.pool is not None:
        wall.pool.close()
    return wall


def test_where_we_may_make_no_role_an_administrator_does(
    cluster: EmbeddedPostgres, tmp_path: Path
) -> None:
    """One wall stands meanwhile, and it is said what to run; once that was done, the second stands."""
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        with database(cluster, "managed", "plain") as url:
            settings = settings_for(NOWHERE, with_login(url, "plain"), tmp_path / "data")
            with closing(open_runtime(settings)) as runtime:
                assert not runtime.wall.is_standing
                assert "may not make roles" in (runtime.wall.problem or "")
                store(runtime, ADA, "ada")
                assert finds(runtime, ADA) == {ADA}
            statements = runtime.wall.statements
            (told,) = (
                each
                for each in examine.now(settings, migrations.looked_at)
                if each.name == "second wall"
            )
            assert told.standing is Standing.WARNING
            wanted = [statement.partition("PASSWORD")[0] for statement in statements]
            assert all(each in told.next_step for each in wanted)  # the verifier has a salt
            assert settings.plaid.secret.get_secret_value() not in str(statements)
            for statement in statements:
                admin.execute(statement)
            with closing(open_runtime(settings)) as runtime:
                assert runtime.wall.is_standing, runtime.wall.problem
                store(runtime, GRACE, "grace")
                assert finds(runtime, GRACE) == {GRACE}
        admin.execute("DROP ROLE managed_confined")
        admin.execute("DROP ROLE plain")


def with_login(url: str, role: str) -> str:
    return Address.parse(url).but(user=role, password=role).url


def finds(runtime: Runtime, user_id: uuid.UUID) -> set[uuid.UUID]:
    """Return whose transactions a confined session finds."""
    with runtime.confined_to(user_id, "a key").database.session() as session:
        return set(session.scalars(select(Transaction.user_id)))


def test_a_long_name_of_a_database_gives_a_name_of_its_own() -> None:
    """PostgreSQL cuts names at 63 bytes, which would make one role of two."""
    names = {second_wall.role_of(name) for name in ("x" * 62 + "1", "x" * 62 + "2", "é" * 31)}
    assert len(names) == 3
    assert all(len(name.encode()) <= 63 for name in names)
    assert second_wall.role_of("bankloom") == "bankloom_confined"


def test_it_stands_around_a_restored_backup_too(
    walled: Runtime, cluster: EmbeddedPostgres, tmp_path: Path
) -> None:
    """Roles and grants are no part of a backup; the first start over another database makes them."""
    file = tmp_path / "bank.backup"
    back_up.to_file(walled.database.address, file, lambda _: None)
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE elsewhere OWNER bankloom")
        try:
            url = cluster.url.replace("/bankloom?", "/elsewhere?")
            with fill_database.now(Address.parse(url)) as connection:
                Backup.read(file).load(connection, lambda *_: None)
            settings = settings_for(NOWHERE, url, walled.settings.data_dir)
            with closing(open_runtime(settings)) as restored:
                assert restored.wall.role == "elsewhere_confined"
                assert restored.wall.is_standing, restored.wall.problem
                assert finds(restored, GRACE) == {GRACE}
                assert reader_address(restored.database, settings.data_dir).url
        finally:
            admin.execute("DROP DATABASE elsewhere WITH (FORCE)")
