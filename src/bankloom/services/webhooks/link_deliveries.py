"""Handles the deliveries that tell of Link sessions: each makes us ask Plaid, and do what follows."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from bankloom.core import clock
from bankloom.models import LinkSession, WebhookDelivery
from bankloom.models.exchange_claim import PUBLIC_TOKEN_LIFETIME
from bankloom.services import link_outcome, repair_item, retry_policy, turn
from bankloom.services.plaid_messages import ItemAddResult
from bankloom.services.webhooks import bodies as webhook_bodies
from bankloom.services.webhooks.table import Action, types_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bankloom.services.runtime import Runtime

HANDLED_MAX = 100
"""How many one turn handles; the rest is due at the next one."""
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=5)
PATIENCE = timedelta(minutes=2)
"""How long Plaid's answer may lag behind its webhook, before the webhook's own word is taken: it
names no accounts, so what it says of can't be compared with what the person has linked."""

NOT_OURS = "stored only: of a Link session that was not opened here"
BY_APP = "stored only: the app exchanges what comes of this Link session"
LEFT = "the person left Link"
REPAIRED = "update mode is over: nothing was exchanged, a run was requested"
EXCHANGED = "its public tokens were exchanged, or are held for a decision"
LATE = "came late: its Link session had been finished before"
NOTED = "Plaid was asked about the Link session"
NOT_SHOWN = "waits for Plaid to show what the webhook says"
LOST = "lost: not done within the 30 minutes that a public token lives; open Link again"


def now(runtime: Runtime, should_stop: Callable[[], bool]) -> None:
    """Handle the deliveries that are due, as long as Plaid answers."""
    types = types_of(Action.LINK)
    with runtime.database.session() as session:
        due = WebhookDelivery.due(session, clock.now(), types, HANDLED_MAX)
    for delivery in due:
        if should_stop() or not _handle(runtime, delivery):
            return


def _handle(runtime: Runtime, delivery: WebhookDelivery) -> bool:
    """Do what one asks for, or put it off; say whether Plaid answered."""
    return turn.do_or_put_off(
        f"Delivery {delivery.id}",
        partial(_do, runtime, delivery),
        partial(_put_off, runtime, delivery),
    )


def _do(runtime: Runtime, delivery: WebhookDelivery) -> None:
    outcome = _outcome(runtime, delivery)
    if outcome is None:
        _put_off(runtime, delivery, NOT_SHOWN)
        return
    with runtime.database.session() as session:
        WebhookDelivery.mark_handled(session, [delivery.id], clock.now(), outcome)


def _put_off(runtime: Runtime, delivery: WebhookDelivery, why: str) -> None:
    wait = retry_policy.doubled(FIRST_WAIT, delivery.attempts, LONGEST_WAIT)
    with runtime.database.session() as session:
        WebhookDelivery.put_off(session, delivery.id, clock.now() + wait, why)


def _outcome(runtime: Runtime, delivery: WebhookDelivery) -> str | None:
    """Do it and say what was done; None where Plaid does not show yet what the webhook says."""
    body = webhook_bodies.opened(runtime, delivery)
    token_hash = runtime.keyring.hash(str(body.get("link_token")))
    with runtime.database.session() as session:
        link = LinkSession.find_by_token_hash(session, token_hash)
    if link is None or link.world != str(runtime.plaid.world):
        return NOT_OURS
    if not link.is_finished_by_us:
        return BY_APP
    at = clock.now()
    if link.finished_at and at - link.finished_at > PUBLIC_TOKEN_LIFETIME:
        # its claims may be forgotten by now, so its tokens would look new
        return LOST if link.lost else LATE
    age = at - delivery.received_at
    if age > PUBLIC_TOKEN_LIFETIME and not link.finished_at:
        return LOST
    got_through = link_outcome.settle(runtime, link)
    if link.item_id:
        return _repaired(runtime, link, body, got_through=got_through, takes_word=age > PATIENCE)
    return _exchanged(runtime, link, body, takes_word=age > PATIENCE)


def _repaired(
    runtime: Runtime,
    link: LinkSession,
    body: dict[str, Any],
    *,
    got_through: bool,
    takes_word: bool,
) -> str | None:
    if not got_through and body.get("status") != "SUCCESS":
        return LEFT
    if not got_through and not takes_word:
        return None
    repair_item.by_plaid(runtime, link)
    return REPAIRED


def _exchanged(
    runtime: Runtime, link: LinkSession, body: dict[str, Any], *, takes_word: bool
) -> str | None:
    tokens = _public_tokens(body)
    if takes_word:
        link_outcome.complete_each(runtime, link, [ItemAddResult(token) for token in tokens])
    hashes = [runtime.keyring.hash(token) for token in tokens]
    if not all(link_outcome.is_dealt_with(runtime, each) for each in hashes):
        return None
    if tokens:
        return EXCHANGED
    return LEFT if body.get("status") == "EXITED" else NOTED


def _public_tokens(body: dict[str, Any]) -> list[str]:
    """Return the public tokens of either kind of webhook, the deprecated field included."""
    named = [*(body.get("public_tokens") or ()), body.get("public_token")]
    return list(dict.fromkeys(token for token in named if isinstance(token, str)))
