"""The settings in which the server differs from PostgreSQL's own, each with its reason."""

from collections.abc import Mapping
from pathlib import Path

_ALWAYS = {
    "listen_addresses": "",  # nobody on the network, not even this machine's own
    "unix_socket_permissions": "0700",
    "timezone": "UTC",  # instants are UTC everywhere in the service
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",  # a line every few minutes for ever, in a log nobody rotates by day
    "jit": "off",  # our queries are short; compiling one can take longer than running it
    # A container's /dev/shm is 64 MB, and parallel queries fail when it is full.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    # At PostgreSQL's 128 MB a first history of 50,000 is written twice: merged pages leave the cache
    # before the merge ends. Memory is taken only as data fills it.
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",  # a bulk load of 730 days does not force one checkpoint after another
    # A new file of the log is not filled with zeros first: whoever commits in that moment waits for it, a
    # webhook's answer too (p99 of its commit beside backfills: 63 ms instead of 135 ms).
    "wal_init_zero": "off",
    "checkpoint_timeout": "15min",  # fewer full pages in the log; recovery stays within a minute
    # The query of a killed service ends within this time, so a new server need not wait for it.
    "client_connection_check_interval": "5s",
}

_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def as_arguments(socket_folder: Path, more: Mapping[str, str], *, durable: bool) -> list[str]:
    """Return the command line options that carry the settings, and those of `more`."""
    chosen = {**_ALWAYS, **more, "unix_socket_directories": str(socket_folder)}
    if not durable:
        chosen |= _NOT_DURABLE
    return [option for name, value in chosen.items() for option in ("-c", f"{name}={value}")]
