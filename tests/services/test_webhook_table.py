"""What each webhook does is what the route's page says, and every verdict is explained there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bankloom.core.signatures import Verdict
from bankloom.services.webhooks import table as webhook_table
from bankloom.services.webhooks.table import Action, action_of

ROUTE = (Path(__file__).parents[2] / "docs/routes/plaid.md").read_text()
DOES = {
    Action.SYNC: "a run of the Item |",
    Action.ASK_ITEM: "a run of the Item that asks `/item/get`;",
    Action.LINK: "the exchange of its public tokens",
}


@pytest.mark.parametrize("action", DOES, ids=lambda action: action.name)
def test_every_webhook_that_does_something_is_documented(action: Action) -> None:
    """The page's row of an action names its types and codes, and no others."""
    [row] = re.findall(rf"^\| (`.*) \| {re.escape(DOES[action])}", ROUTE, re.MULTILINE)
    documented = set()
    for part in row.split("; "):
        webhook_type, *codes = re.findall(r"`(\w+)`", part)
        documented |= {(webhook_type, code) for code in codes}
    table = webhook_table._BY_CODE
    assert documented == {each for each, does in table.items() if does is action}


PLAIDS_OWN = """
    ITEM/ERROR ITEM/LOGIN_REPAIRED ITEM/NEW_ACCOUNTS_AVAILABLE ITEM/PENDING_DISCONNECT
    ITEM/PENDING_EXPIRATION ITEM/USER_PERMISSION_REVOKED ITEM/USER_ACCOUNT_REVOKED
    ITEM/WEBHOOK_UPDATE_ACKNOWLEDGED
    TRANSACTIONS/SYNC_UPDATES_AVAILABLE TRANSACTIONS/INITIAL_UPDATE TRANSACTIONS/HISTORICAL_UPDATE
    TRANSACTIONS/DEFAULT_UPDATE TRANSACTIONS/TRANSACTIONS_REMOVED
    TRANSACTIONS/RECURRING_TRANSACTIONS_UPDATE
    HOLDINGS/DEFAULT_UPDATE INVESTMENTS_TRANSACTIONS/DEFAULT_UPDATE
    INVESTMENTS_TRANSACTIONS/HISTORICAL_UPDATE LIABILITIES/DEFAULT_UPDATE
    LINK/SESSION_FINISHED LINK/ITEM_ADD_RESULT LINK/EVENTS
    LINK_DELIVERY/DELIVERY_STATUS LINK_DELIVERY/LINK_CALLBACK
    AUTH/DEFAULT_UPDATE AUTH/AUTOMATICALLY_VERIFIED AUTH/VERIFICATION_EXPIRED
    IDENTITY/DEFAULT_UPDATE STATEMENTS/STATEMENTS_REFRESH_COMPLETE ISSUES/ISSUE_RESOLVED
    DASHBOARD_CONFIGURED_ALERT/INSTITUTION_STATUS_ALERT_TRIGGERED
"""
"""The webhooks of the products that we know, by the schemas of the spec that end in `Webhook`."""


@pytest.mark.parametrize("webhook", PLAIDS_OWN.split())
def test_every_webhook_of_plaids_is_in_the_table(webhook: str) -> None:
    """Written down from Plaid's file, not from ours."""
    webhook_type, _, code = webhook.partition("/")
    assert (webhook_type, code) in webhook_table._BY_CODE


def test_what_is_unknown_is_stored() -> None:
    """Types and codes that Plaid invents tomorrow do nothing by themselves."""
    for webhook in (("ITEM", "INVENTED"), ("INVENTED", "ERROR"), ("item", "error"), ("", "")):
        assert action_of(*webhook) is Action.STORE


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_documented(verdict: Verdict) -> None:
    """An operator who reads one finds what it means."""
    rows = re.findall(r"^\| (`.*) \| .* \|$", ROUTE, re.MULTILINE)
    assert any(f"`{verdict}`" in row.split(", ") for row in rows)
