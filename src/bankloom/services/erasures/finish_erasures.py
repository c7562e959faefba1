"""Goes on with erasures that were cut off, left, or put off because Plaid did not remove an Item."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.models import Erasure, Subject
from bankloom.services import turn
from bankloom.services.erasures import erase_account, erase_item, erase_user
from bankloom.services.erasures.work import Effort, Work
from bankloom.services.exchange_token import lease_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from bankloom.services.runtime import Runtime

ERASURES_MAX = 20
"""How many a turn takes up: the rest is due at the next one."""

_CARRY_ON = {
    Subject.ITEM: erase_item.carry_on,
    Subject.ACCOUNT: erase_account.carry_on,
    Subject.USER: erase_user.carry_on,
}


def now(runtime: Runtime, should_stop: Callable[[], bool]) -> None:
    """Go on with what is due, as long as Plaid answers."""
    with runtime.database.session() as session:
        due = Erasure.due(session, clock.now(), ERASURES_MAX)
    for erasure in due:
        work = partial(_go_on, runtime, erasure, should_stop)
        if should_stop() or not turn.do_or_put_off("An erasure", work, _is_put_off):
            return


def _go_on(runtime: Runtime, due: Erasure, should_stop: Callable[[], bool]) -> None:
    at = clock.now()
    with runtime.database.session() as session:
        claimed = due.take_over(session, at, lease_until(runtime, at))
    if claimed is not None:
        for_asker = runtime.acting_for(claimed.asked_by)
        _CARRY_ON[Subject(claimed.subject)](Work(for_asker, claimed, Effort(should_stop)))


def _is_put_off(_why: str) -> None:
    """Leave it: what Plaid refused is put off already, and anything else until the lease is over."""
