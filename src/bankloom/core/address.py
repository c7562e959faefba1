"""The address of a database as libpq reads it: one host or several, a socket, a service file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bankloom.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMES = ("postgresql://", "postgres://")


@dataclass(frozen=True)
class Address:
    """The parameters of a connection, under libpq's names."""

    parameters: Mapping[str, str] = field(repr=False)  # a password is among them

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL. Errors: `ConfigurationError`, which does not quote it."""
        try:
            if url.startswith(_SCHEMES):
                return cls({name: str(value) for name, value in conninfo_to_dict(url).items()})
        except psycopg.ProgrammingError:
            pass  # its text quotes the URL with its password
        raise ConfigurationError(
            "BANKLOOM_DATABASE_URL is no PostgreSQL URL. It looks like "
            "postgresql://USER:PASSWORD@HOST:PORT/NAME, where each special character of the "
            "password is percent-encoded."
        )

    def but(self, **changes: str | int | None) -> Self:
        """Return the address with these parameters changed; None takes one away."""
        changed = {**self.parameters, **changes}
        return type(self)({name: str(it) for name, it in changed.items() if it is not None})

    @property
    def conninfo(self) -> str:
        """The connection string, with the password, for psycopg."""
        return make_conninfo("", **self.parameters)

    @property
    def url(self) -> str:
        """The URL, with the password if there is one, for any client."""
        rest = dict(self.parameters)
        user, password = (_quoted(rest.pop(name, "")) for name in ("user", "password"))
        login = f"{user}:{password}@" if password else f"{user}@" if user else ""
        database = _quoted(rest.pop("dbname", ""))
        places = _places(rest)
        query = f"?{urlencode(rest, safe='/', quote_via=quote)}" if rest else ""
        return f"postgresql://{login}{places}/{database}{query}"


def _places(rest: dict[str, str]) -> str:
    """Take hosts and ports out, where they can stand before the path, as all clients know it."""
    hosts, ports = rest.get("host", "").split(","), rest.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    is_network = all(host and not host.startswith(("/", "@")) for host in hosts)
    if not is_network or len(ports) != len(hosts):
        return ""  # sockets, or nothing: what there is stays in the query
    del rest["host"]
    rest.pop("port", None)
    return ",".join(map(_place, hosts, ports))


def _place(host: str, port: str) -> str:
    name = f"[{host}]" if ":" in host else _quoted(host)
    return f"{name}:{port}" if port else name


def _quoted(text: str) -> str:
    return quote(text, safe="")
