"""The `platypus` command."""

import argparse
import os
import sqlite3
import sys
from pathlib import Path

from platypus_bank.server import serve
from platypus_bank.world import OtherSeedError
from platypus_bank.worlds import Worlds

DATA_DIR_VARIABLE = "PLATYPUS_DATA_DIR"
DEFAULT_DATA_DIR = "~/.platypus"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    folder = None if options.ephemeral else Path(options.data_dir).expanduser()
    try:
        worlds = Worlds(folder, options.seed)
    except (OtherSeedError, OSError, sqlite3.OperationalError) as problem:
        _complain(folder, problem)
        return 2
    try:
        serve(worlds, options.host, options.port, options.allow_host)
    except OSError as problem:
        _complain(None, problem)
        return 2
    finally:
        worlds.close()
    return 0


def _complain(folder: Path | None, problem: Exception) -> None:
    where = "" if folder is None else f" (data folder {folder}; is another Platypus using it?)"
    sys.stderr.write(f"platypus: {problem}{where}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="platypus", description="A local emulator of Plaid.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("serve", help="run the emulator")
    run.add_argument("--host", default="127.0.0.1")
    run.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another name by which /platypus may be called; may be repeated",
    )
    run.add_argument("--port", type=int, default=8080, help="0 takes any free port")
    run.add_argument(
        "--data-dir",
        default=os.environ.get(DATA_DIR_VARIABLE, DEFAULT_DATA_DIR),
        help=f"where the world is kept (default ${DATA_DIR_VARIABLE} or {DEFAULT_DATA_DIR})",
    )
    run.add_argument("--ephemeral", action="store_true", help="keep the world in memory")
    run.add_argument("--seed", type=int, help="what all ids are made from (default 1)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
