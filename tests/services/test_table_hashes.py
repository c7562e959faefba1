"""Hashes of tables: equal where the rows are equal, wherever and however they lie; else not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

import outside_server
from database_copies import hashes

if TYPE_CHECKING:
    from outside_server import OutsideServer

MAKE = """
    CREATE SCHEMA bank;
    CREATE TABLE bank.rows (n int, at timestamptz, day date, amount numeric, part float8,
                            raw bytea, words text, long interval, many text[], more jsonb);
"""
ROWS = """
    INSERT INTO bank.rows
    SELECT n, '2025-03-30 01:30+00'::timestamptz + n * interval '1 hour', date '2025-03-30' + n,
           n / 100.0, n / 3.0::float8, sha256(n::text::bytea), repeat('ä☕\\', n), n * interval '1h',
           array['a', NULL, n::text], jsonb_build_object('n', n)
    FROM generate_series(1, 40) n ORDER BY n {order}
"""
ODD_SETTINGS = (
    ("timezone", "'Asia/Kathmandu'"),
    ("datestyle", "'SQL, DMY'"),
    ("intervalstyle", "'iso_8601'"),
    ("extra_float_digits", "-3"),
    ("bytea_output", "'escape'"),
)


def made(url: str, order: str) -> None:
    """Make the table with its rows in an order."""
    with psycopg.connect(url) as own:
        own.execute("DROP SCHEMA IF EXISTS bank CASCADE")
        own.execute(MAKE)
        own.execute(ROWS.format(order=order).encode())


@pytest.mark.skipif(not outside_server.is_available(), reason=outside_server.NOT_RUN)
def test_a_hash_is_the_same_everywhere(embedded_database_url: str, outside: OutsideServer) -> None:
    """Neither the order of the rows, the server's version nor its settings for text matter."""
    made(embedded_database_url, "ASC")
    with outside.database() as url:
        made(url, "DESC")
        name = url.rpartition("/")[2]
        with psycopg.connect(url, autocommit=True) as own:
            for setting, value in ODD_SETTINGS:
                own.execute(f'ALTER DATABASE "{name}" SET {setting} TO {value}'.encode())
        there = hashes(url)
    here = hashes(embedded_database_url)
    assert here["bank.rows"].rows == 40
    assert here["bank.rows"] == there["bank.rows"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE bank.rows SET amount = amount::numeric(20, 10) WHERE n = 7",
        "UPDATE bank.rows SET part = part + 1e-15 WHERE n = 1",
        "UPDATE bank.rows SET words = NULL WHERE n = 7",
        "UPDATE bank.rows SET n = CASE n WHEN 1 THEN 2 ELSE 1 END WHERE n < 3",
        "INSERT INTO bank.rows SELECT * FROM bank.rows WHERE n = 7",
        "DELETE FROM bank.rows WHERE n = 7",
    ],
)
def test_every_change_shows(embedded_database_url: str, change: str) -> None:
    """One digit, one NULL, two values exchanged, a row doubled or lost: the hash is another."""
    made(embedded_database_url, "ASC")
    before = hashes(embedded_database_url)["bank.rows"]
    with psycopg.connect(embedded_database_url) as own:
        own.execute(change.encode())
    assert hashes(embedded_database_url)["bank.rows"].hash != before.hash
