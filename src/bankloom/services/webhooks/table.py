"""What each webhook does: one table, by Plaid's type and code. What is not here is only stored.

Source: plaid.com/docs/api/webhooks and the spec's schemas that end in `Webhook`.
"""

from __future__ import annotations

import enum


class Action(enum.Enum):
    """What a delivery makes us do."""

    SYNC = "a run of the Item"
    ASK_ITEM = "a run of the Item that asks /item/get too: no webhook says how an Item is by itself"
    LINK = "exchange the public tokens of a finished Link session"
    STORE = "nothing: it is stored"


_ALL: dict[str, dict[Action, tuple[str, ...]]] = {
    "ITEM": {
        Action.ASK_ITEM: (
            "ERROR",
            "LOGIN_REPAIRED",
            "NEW_ACCOUNTS_AVAILABLE",
            "PENDING_DISCONNECT",
            "PENDING_EXPIRATION",
            "USER_PERMISSION_REVOKED",
            "USER_ACCOUNT_REVOKED",
        ),
        Action.STORE: ("WEBHOOK_UPDATE_ACKNOWLEDGED",),
    },
    "TRANSACTIONS": {
        Action.SYNC: (
            "SYNC_UPDATES_AVAILABLE",
            "INITIAL_UPDATE",  # this one and the next three are older forms of the first
            "HISTORICAL_UPDATE",
            "DEFAULT_UPDATE",
            "TRANSACTIONS_REMOVED",  # what is removed, only /transactions/sync says
            "RECURRING_TRANSACTIONS_UPDATE",
        ),
    },
    "HOLDINGS": {Action.SYNC: ("DEFAULT_UPDATE",)},
    "INVESTMENTS_TRANSACTIONS": {Action.SYNC: ("DEFAULT_UPDATE", "HISTORICAL_UPDATE")},
    "LIABILITIES": {Action.SYNC: ("DEFAULT_UPDATE",)},
    "LINK": {
        Action.LINK: ("SESSION_FINISHED", "ITEM_ADD_RESULT"),
        Action.STORE: ("EVENTS",),
    },
    "LINK_DELIVERY": {Action.STORE: ("DELIVERY_STATUS", "LINK_CALLBACK")},
    "AUTH": {
        Action.STORE: (
            "DEFAULT_UPDATE",
            "AUTOMATICALLY_VERIFIED",
            "VERIFICATION_EXPIRED",
            "SMS_MICRODEPOSITS_VERIFICATION",
        )
    },
    "IDENTITY": {Action.STORE: ("DEFAULT_UPDATE",)},
    "STATEMENTS": {Action.STORE: ("STATEMENTS_REFRESH_COMPLETE",)},
    "ISSUES": {Action.STORE: ("ISSUE_RESOLVED",)},
    "DASHBOARD_CONFIGURED_ALERT": {Action.STORE: ("INSTITUTION_STATUS_ALERT_TRIGGERED",)},
}

_BY_CODE = {
    (webhook_type, code): action
    for webhook_type, actions in _ALL.items()
    for action, codes in actions.items()
    for code in codes
}


def action_of(webhook_type: str, webhook_code: str) -> Action:
    """Say what a webhook makes us do."""
    return _BY_CODE.get((webhook_type, webhook_code), Action.STORE)


def types_of(action: Action) -> frozenset[str]:
    """Return the types that have codes with this action."""
    return frozenset(each for (each, _), does in _BY_CODE.items() if does is action)
