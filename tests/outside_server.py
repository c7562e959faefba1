"""A PostgreSQL 15 apart from the embedded one: over TCP, with a password, as a role that is no superuser."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

if TYPE_CHECKING:
    from collections.abc import Iterator

URL_VARIABLE = "BANKLOOM_TEST_SERVER_URL"
DEBIAN_PROGRAMS = Path("/usr/lib/postgresql/15/bin")
NOT_RUN = (
    f"NOT RUN: the migrations and flows against a separate PostgreSQL 15. Install Debian's "
    f"postgresql-15, or set {URL_VARIABLE} to an administrator's URL of such a server."
)


def is_available() -> bool:
    """Say whether there is an outside server to test against."""
    return URL_VARIABLE in os.environ or (DEBIAN_PROGRAMS / "initdb").exists()


class OutsideServer:
    """A server that hands out databases of a role that may nothing but own them."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._role = f"bankloom_test_{secrets.token_hex(4)}"
        self._password = secrets.token_hex(12)
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER PASSWORD {}").format(
                    sql.Identifier(self._role), sql.Literal(self._password)
                )
            )

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Give the URL of a new database for the length of a block."""
        name = f"{self._role}_{secrets.token_hex(4)}"
        names = {"name": sql.Identifier(name), "role": sql.Identifier(self._role)}
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            made = sql.SQL("CREATE DATABASE {name} OWNER {role} TEMPLATE {template}")
            admin.execute(made.format(template=sql.Identifier(template), **names))
            try:
                yield self._url(name)
            finally:
                admin.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))

    @contextmanager
    def administrator(self, url: str | None = None) -> Iterator[psycopg.Connection]:
        """Give an administrator's connection, to the database of a URL if one is given."""
        name = conninfo_to_dict(url)["dbname"] if url else None
        address = make_conninfo(self._admin_url, **({"dbname": name} if name else {}))
        with psycopg.connect(address, autocommit=True) as admin:
            yield admin

    def _url(self, database: str) -> str:
        parts = conninfo_to_dict(self._admin_url)
        place = f"{parts.get('host', '127.0.0.1')}:{parts.get('port', 5432)}"
        return f"postgresql://{self._role}:{self._password}@{place}/{database}"

    def drop_role(self) -> None:
        """Leave nothing behind on somebody's server."""
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(self._role)))


@contextmanager
def outside_server() -> Iterator[OutsideServer]:
    """Give the server that the variable names, or one started from Debian's programs."""
    if URL_VARIABLE in os.environ:
        server = OutsideServer(os.environ[URL_VARIABLE])
        try:
            yield server
        finally:
            server.drop_role()
        return
    with _started() as admin_url:
        yield OutsideServer(admin_url)


@contextmanager
def _started() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="bankloom-outside-"))
    as_other: dict[str, int] = {}
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")  # comes with Debian's package
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_other = {"user": account.pw_uid, "group": account.pw_gid}
    password = secrets.token_hex(12)
    (folder / "password").write_text(password)
    data, port = folder / "data", _free_port()

    def run(program: str, *arguments: str) -> None:
        command = [str(DEBIAN_PROGRAMS / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **as_other)  # type: ignore[call-overload]  # typeshed wants each option by name

    run("initdb", "-U", "admin", "-A", "scram-sha-256", "--pwfile", str(folder / "password"))
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k '' -c fsync=off"
    try:
        run("pg_ctl", "start", "-w", "-o", options, "-l", str(folder / "log"))
        yield f"postgresql://admin:{password}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
