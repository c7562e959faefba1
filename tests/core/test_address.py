"""Addresses: every URL that libpq takes is read, and written so that it reads the same."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from bankloom.core.address import Address

URLS = [
    "postgresql://me:p%40ss%20word@db.example.com:5433/my%20data?sslmode=verify-full",
    "postgres://me@db.example.com/data",
    "postgresql://db.example.com",
    "postgresql://me@one:5432,two:5433/data?target_session_attrs=read-write",
    "postgresql://me@[2001:db8::1]:5432,[2001:db8::2]:5432/data",
    "postgresql://me:secret@/data?host=/run/my%20postgres&port=5432",
    "postgresql://me@%2Frun%2Fpostgres:5432/data",
    "postgresql://me@one:1,%2Frun%2Fpostgres:2/data",
    "postgresql:///?service=bank",
    "postgresql:///data?options=-c%20statement_timeout%3D5s&application_name=a%26b",
]


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_written_as_it_was_read(url: str) -> None:
    """Hosts, sockets, special characters and options survive."""
    address = Address.parse(url)
    assert conninfo_to_dict(address.url) == conninfo_to_dict(url)
    assert conninfo_to_dict(address.conninfo) == conninfo_to_dict(url)


def test_hosts_stand_where_every_client_looks() -> None:
    """One port for several hosts is written out; hosts of the network stand before the path."""
    several = Address({"host": "one,two", "port": "5433", "user": "me", "dbname": "data"})
    assert several.url == "postgresql://me@one:5433,two:5433/data"
    assert several.but(host="/run", dbname=None).url == "postgresql://me@/?host=/run&port=5433"


def test_a_password_is_not_shown_by_chance() -> None:
    """What stands in a log or a traceback does not hold it."""
    assert "secret" not in repr(Address.parse("postgresql://me:secret@host/data"))
