"""A PostgreSQL server in a data folder, shared by every process that uses it.

Who may run it, where its files lie and how long it lives are decided here; the programs come from
a wheel. The life of the server hangs on three locks beside its cluster (see `locks`), never on a
list of process ids: the kernel drops a lock when its holder dies, however it dies.
"""

from bankloom.core.embedded_postgres.embedded import EmbeddedPostgres
from bankloom.core.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
