"""Does what the table says of a delivery: when it comes, when its Item does, when it is due again.

In every commit here a delivery that others can see is written last, after the Item's tags and run,
so that two of these never wait for each other.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from bankloom.core import clock
from bankloom.models import Item, ItemProduct, WebhookDelivery
from bankloom.services import audit, jobs, request_run, retry_policy
from bankloom.services.webhooks.bodies import Webhook
from bankloom.services.webhooks.table import Action, action_of, types_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.models import World
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

TRIGGER = "webhook"
RETRIED_MAX = 100
"""How many deliveries one tick tries again; the rest is due at the next one."""

FIRST_WAIT = timedelta(minutes=5)
"""The run that was asked for has answered by then, but for a busy or broken day."""

LONGEST_WAIT = timedelta(hours=6)

STORED = "stored only"
RUN_REQUESTED = "a run was requested"
WAITS_FOR_ANSWER = "waits for a run to ask /item/get"
WAITS_FOR_EXCHANGE = "waits for its public tokens to be exchanged"
WAITS_FOR_ITEM = "waits for its Item, which is not held"
ERASED = "nothing of it was stored: its Item was erased"
NOT_OURS = "stored only: the Item was removed, or is of another world"
OTHER_ENVIRONMENT = "stored only: of another Plaid environment"


class Plan(NamedTuple):
    """What is to be done about a delivery, and how its row stands afterwards.

    A `wait` is how long until it is tried again; without one it waits for something else, if it is
    not handled.
    """

    action: Action
    outcome: str
    handled: bool = True
    wait: timedelta | None = None

    @property
    def waits_for_item(self) -> bool:
        """Whether nothing is done before its Item comes."""
        return not self.handled and self.wait is None

    def stamps(self, at: datetime) -> dict[str, Any]:
        """Return the columns of a new row."""
        return {
            "handled_at": at if self.handled else None,
            "next_try_at": at + self.wait if self.wait is not None else None,
            "outcome": self.outcome,
        }


def plan(session: Session, ours: World, webhook: Webhook, attempts: int = 0) -> Plan:
    """Say what is to be done about a webhook, as our Items stand now."""
    action = action_of(webhook.webhook_type, webhook.webhook_code)
    if webhook.environment not in {None, ours.environment}:
        return Plan(Action.STORE, OTHER_ENVIRONMENT)
    if action is Action.LINK:
        return Plan(action, WAITS_FOR_EXCHANGE, handled=False, wait=timedelta(0))
    if action is Action.STORE or webhook.item_id is None:
        return Plan(Action.STORE, STORED)
    return _plan_for_item(session, ours, webhook.item_id, action, attempts)


def _plan_for_item(
    session: Session, ours: World, item_id: str, action: Action, attempts: int
) -> Plan:
    standing = Item.standing(session, item_id)
    if standing is None:
        return Plan(Action.STORE, WAITS_FOR_ITEM, handled=False)
    if standing.removed or standing.world != ours:
        return Plan(Action.STORE, NOT_OURS)
    if action is Action.SYNC:
        return Plan(action, RUN_REQUESTED)
    wait = retry_policy.doubled(FIRST_WAIT, attempts, LONGEST_WAIT)
    return Plan(action, WAITS_FOR_ANSWER, handled=False, wait=wait)


def do(session: Session, planned: Plan, item_id: str | None) -> None:
    """Do it, in this session's commit."""
    if planned.action is Action.LINK:
        jobs.turn_later(session, jobs.EXCHANGES_QUEUE)
    elif planned.action is not Action.STORE and item_id is not None:
        asks_item = planned.action is Action.ASK_ITEM
        request_run.request(session, item_id, TRIGGER, asks_item=asks_item)


def replay_waiting(session: Session, item_id: str) -> None:
    """Handle what came for an Item before we held it, if we hold it now, in this session's commit.

    However many they are, they share one run. The lock is that of whoever stores an Item: a delivery
    that is committed at the same moment is either seen here, or sees the Item.
    """
    ItemProduct.lock(session, item_id)
    waiting = [
        each
        for each in WebhookDelivery.waiting_of_item(session, item_id)
        if each.next_try_at is None
    ]
    if not waiting or Item.standing(session, item_id) is None:
        return
    asking = {each.id for each in waiting if each.webhook_type in types_of(Action.ASK_ITEM)}
    others = {each.id for each in waiting} - asking
    at = clock.now()
    do(session, Plan(Action.ASK_ITEM if asking else Action.SYNC, RUN_REQUESTED), item_id)
    WebhookDelivery.put_all_off(session, asking, at + FIRST_WAIT, WAITS_FOR_ANSWER)
    WebhookDelivery.mark_handled(session, others, at, RUN_REQUESTED)


def retry_due(runtime: Runtime) -> None:
    """Try again what was not handled in time: the run that should have, failed or was lost."""
    types = types_of(Action.ASK_ITEM)
    with runtime.database.session() as session:
        due = WebhookDelivery.due(session, clock.now(), types, RETRIED_MAX)
    for delivery in due:
        try:
            with runtime.database.session() as session:
                _stamp(session, delivery, _do_again(session, runtime.plaid.world, delivery))
        except Exception:  # whatever it was: the deliveries behind it must not wait for ever
            log.exception("Delivery %s could not be tried again; the next tick does", delivery.id)


def replay(runtime: Runtime, session: Session, delivery: WebhookDelivery) -> str:
    """Do what the table says of a delivery, handled or not, and note it; return the outcome."""
    planned = _do_again(session, runtime.plaid.world, delivery)
    WebhookDelivery.reopen(session, delivery.id)
    _stamp(session, delivery, planned)
    audit.note(
        runtime,
        session,
        audit.Action.WEBHOOK_REPLAYED,
        item_id=delivery.item_id,
        delivery_id=delivery.id,
        webhook_code=delivery.webhook_code,
    )
    return planned.outcome


def _do_again(session: Session, ours: World, delivery: WebhookDelivery) -> Plan:
    webhook = Webhook(delivery.webhook_type, delivery.webhook_code, delivery.item_id)
    planned = plan(session, ours, webhook, delivery.attempts + 1)
    do(session, planned, delivery.item_id)
    return planned


def _stamp(session: Session, delivery: WebhookDelivery, planned: Plan) -> None:
    at = clock.now()
    if planned.handled:
        WebhookDelivery.mark_handled(session, [delivery.id], at, planned.outcome)
    else:
        until = planned.stamps(at)["next_try_at"]
        WebhookDelivery.put_off(session, delivery.id, until, planned.outcome)
