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


def test_what_is_unknown_is_stored() -> None:
    """Types and codes that Plaid invents tomorrow do nothing by themselves."""
    for webhook in (("ITEM", "INVENTED"), ("INVENTED", "ERROR"), ("item", "error"), ("", "")):
        assert action_of(*webhook) is Action.STORE


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_documented(verdict: Verdict) -> None:
    """An operator who reads one finds what it means."""
    rows = re.findall(r"^\| (`.*) \| .* \|$", ROUTE, re.MULTILINE)
    assert any(f"`{verdict}`" in row.split(", ") for row in rows)
