"""Calls that wait for Plaid leave room for those that do not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bankloom.routes.threads import PLAID_CALLS_AT_ONCE
from scenes import holding

if TYPE_CHECKING:
    from harness import Api
    from platypus_bank.testing import Running

PATH = "/link/token/create"
MORE_THAN_ALL_THREADS = 45


def test_a_hanging_plaid_does_not_stop_everything(api: Api, bank: Running) -> None:
    """However many people open Link while Plaid hangs: health, lists and the others are answered."""
    with ThreadPoolExecutor(MORE_THAN_ALL_THREADS) as pool:
        with holding(bank, PATH, times=0) as hold:
            callers = [
                pool.submit(api.post, "/plaid/link-token", user_id=f"person {number}")
                for number in range(MORE_THAN_ALL_THREADS)
            ]
            hold.reached(PLAID_CALLS_AT_ONCE)
            for path in ("/healthz", "/readyz"):
                assert api.get(path).status_code == 200, path
            assert api.accounts(user_id="*") == []
            assert not any(caller.done() for caller in callers)
        assert {caller.result().status_code for caller in callers} == {200}
