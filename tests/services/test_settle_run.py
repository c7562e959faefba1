"""How a run is settled: its row ends with the last product's commit, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bankloom.models import ItemProduct, ProductState
from bankloom.services import fence, settle_run
from scenes import never
from workers import ask_for_run, runs, store_item

if TYPE_CHECKING:
    from bankloom.services.fence import Run
    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running


class FailedCommitError(Exception):
    """Stands for a database that goes away at COMMIT."""


def settle(run: Run, tag: ItemProduct, failure: Exception | None = None) -> None:
    """Settle one product as a success, or fail to."""
    with run.hold() as session:
        outcomes = settle_run.accounts_only(run, session, tag)
        if failure:
            raise failure
    run.outcomes = outcomes


def test_an_outcome_that_was_rolled_back_does_not_count(parts: Runtime, bank: Running) -> None:
    """A product whose commit failed has not ended, so the other's end is not that of the run."""
    item_id = store_item(parts, bank)
    with parts.database.session() as session:
        ItemProduct.add(session, item_id, "liabilities", ProductState.REQUESTED, None)
    ask_for_run(parts, item_id)
    run = fence.begin(parts, item_id, never)
    assert run is not None
    first, second = run.tags
    with pytest.raises(FailedCommitError):
        settle(run, first, FailedCommitError())
    settle(run, second)
    assert runs(parts, item_id) == ["running"]
    settle(run, first)
    assert runs(parts, item_id) == ["up_to_date"]
