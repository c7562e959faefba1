"""How many SQL statements a page of 500 costs, as the database itself counts them.

The server writes every statement to its log, COPY, BEGIN, COMMIT and all; those of the whole run
are counted, with the reading of accounts, the merge and the settling, and divided by its pages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import ours
from children import in_child
from figures import Figure
from pages_server import access_token
from progress import say
from recording import PAGE_ROWS

if TYPE_CHECKING:
    from servers import Server

PER_PAGE_MAX = 10
_STATEMENT = re.compile(rb"@bench_\d+ LOG:  (?:statement|execute [^:]*): ")


def measure(url: str, server: Server, pages: int) -> Figure:
    """Return the statements a page beside the most that are allowed."""
    begins_at_byte = server.log.stat().st_size
    with server.fresh_database(log_statements=True) as database_url:
        in_child(ours.ingest, url, database_url, access_token(pages * PAGE_ROWS))
    with server.log.open("rb") as log:
        log.seek(begins_at_byte)
        per_page = len(_STATEMENT.findall(log.read())) / pages
    say(f"{per_page:.2f} statements a page")
    return Figure(
        "statements_per_page", per_page, "statements", PER_PAGE_MAX, per_page / PER_PAGE_MAX
    )
