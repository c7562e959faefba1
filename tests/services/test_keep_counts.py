"""The counts of all processes: added up in one table, which no crash and no restart empties."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError

from bankloom.core.counting import Counts
from bankloom.models import Counter
from bankloom.services import keep_counts
from bankloom.services.counted import PLAID_CALLS, TRANSACTIONS
from harness import serving, settings_for, wait_until
from scenes import background, person, purchases, bank_account
from workers import ask_for_run, store_item, workers
import dataclasses

if TYPE_CHECKING:
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running


@pytest.fixture
def parts(embedded_database_url: str, bank: Running, tmp_path: Path) -> Iterator[Runtime]:
    """The opened parts of a process whose worker does not run."""


def another_process(runtime: Runtime) -> Runtime:
    """Return the same parts as another process has them, with counts of its own."""
    return dataclasses.replace(runtime, counts=Counts())
