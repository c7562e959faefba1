"""Takes a webhook in: verified, stored as it came, and its work queued, in one commit."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bankloom.core import clock, signatures
from bankloom.core.errors import (
    BodyTooLargeError,
    NotFoundError,
    PlaidRefusedError,
    WebhookRefusedError,
    WebhookUndecidedError,
)
from bankloom.core.signatures import UnbelievedError, Verdict
from bankloom.models import Erasure, SelfTestKey, WebhookDelivery
from bankloom.services import counted
from bankloom.services.erasures.work import item_hash
from bankloom.services.webhooks import actions as webhook_actions
from bankloom.services.webhooks import bodies as webhook_bodies
from bankloom.services.webhooks.actions import ERASED, Plan
from bankloom.services.webhooks.keys import FoundKey, WebhookKeys
from bankloom.services.webhooks.refusals import Refusals
from bankloom.services.webhooks.table import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from bankloom.core.signatures import Claim
    from bankloom.services.runtime import Runtime
    from bankloom.services.webhooks.bodies import Webhook

BODY_BYTES_MAX = 256 * 1024
"""Plaid's largest name some hundred transaction ids: about 10 KiB."""

SELF_TEST_KID = "self-test-"
SELF_TEST_TYPE = "BANKLOOM_SELF_TEST"
"""A key whose name begins so is one of `bankloom webhooks self-test`, and signs only this type."""


class Received(NamedTuple):
    """A request as it came."""

    signatures: Sequence[str]
    body: bytes
    remote: str | None


class Intake:
    """What one process keeps to take webhooks in: keys that it has seen, refusals not yet written.

    In order: `read`; `learn` unless `knows`; `accept`. Errors of each: `WebhookRefusedError`,
    `BodyTooLargeError`, `WebhookUndecidedError`, all counted.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        with runtime.database.session() as session:
            kids = WebhookDelivery.newest_kids(session)
        self._keys = WebhookKeys(self._look_up, kids)
        self._refusals = Refusals(runtime.database)

    def close(self) -> None:
        """Write the last refusals."""
        self._refusals.close()

    def refuse_too_large(self, received: Received) -> None:
        """Refuse a body that is not read to its end."""
        with self._refusing(received):
            raise UnbelievedError(Verdict.TOO_LARGE)

    def read(self, received: Received) -> Claim:
        """Check all that needs neither a key nor the database."""
        with self._refusing(received):
            return signatures.read(received.signatures, received.body, clock.now())

    def knows(self, claim: Claim) -> bool:
        """Say whether the claim's key is at hand."""
        return self._keys.knows(claim.kid)

    def learn(self, received: Received, claim: Claim) -> None:
        """Ask for the claim's key. Blocks on Plaid."""
        with self._refusing(received):
            self._keys.get(claim.kid)

    def accept(self, received: Received, claim: Claim) -> None:
        """Prove the claim; store the delivery and queue its work, unless it came before."""
        with self._refusing(received):
            signatures.prove(claim, self._keys.get(claim.kid))
            text, webhook = webhook_bodies.read(received.body)
            if _is_self_test(claim.kid) and webhook.webhook_type != SELF_TEST_TYPE:
                raise UnbelievedError(Verdict.SELF_TEST_ONLY, claim.kid)
        is_new = _store(self._runtime, claim, text, webhook)
        counted.delivered(self._runtime.counts, is_new=is_new)

    @contextmanager
    def _refusing(self, received: Received) -> Iterator[None]:
        """Count what is not believed, and say no more of it than the sender may know."""
        try:
            yield
        except UnbelievedError as refused:
            self._refusals.note(refused, received.remote, received.body)
            if refused.verdict is Verdict.TOO_LARGE:
                raise BodyTooLargeError(_TOO_LARGE) from None
            raise WebhookRefusedError from refused
        except WebhookUndecidedError:
            undecided = UnbelievedError(Verdict.UNDECIDED)
            self._refusals.note(undecided, received.remote, received.body)
            raise

    def _look_up(self, kid: str) -> FoundKey | None:
        """Ask whoever made a key for it: Plaid, or the self-test."""
        if _is_self_test(kid):
            return self._look_up_self_test(kid)
        try:
            return FoundKey(self._runtime.plaid.webhook_verification_key_get(kid))
        except PlaidRefusedError as error:
            if error.error_code == "INVALID_WEBHOOK_VERIFICATION_KEY_ID":
                return None
            raise

    def _look_up_self_test(self, kid: str) -> FoundKey | None:
        at = clock.now()
        with self._runtime.database.session() as session:
            stored = SelfTestKey.find(session, kid, at)
        if stored is None:
            return None
        jwk = msgspec.json.decode(stored.jwk, type=signatures.Jwk)
        return FoundKey(jwk, (stored.expires_at - at).total_seconds())


_TOO_LARGE = "The body is larger than 256 KiB, and no webhook of Plaid's is."


def _is_self_test(kid: str) -> bool:
    return kid.startswith(SELF_TEST_KID)


def _store(runtime: Runtime, claim: Claim, text: str, webhook: Webhook) -> bool:
    """Store the delivery and queue its work; say whether it is new."""
    try:
        return _put(runtime, claim, text, webhook)
    except NotFoundError:  # its Item was removed after we looked: now we see that
        return _put(runtime, claim, text, webhook)


def _put(runtime: Runtime, claim: Claim, text: str, webhook: Webhook) -> bool:
    at = clock.now()
    ours = runtime.plaid.world
    with runtime.database.session() as session:
        planned = webhook_actions.plan(session, ours, webhook)
        if planned.waits_for_item and _is_erased(runtime, session, webhook):
            planned = Plan(Action.STORE, ERASED)
            text, webhook = "{}", msgspec.structs.replace(webhook, item_id=None)
        new = WebhookDelivery.put(
            session,
            jwt_hash=claim.jwt_hash,
            kid=claim.kid,
            issued_at=claim.issued_at,
            received_at=at,
            webhook_type=webhook.webhook_type,
            webhook_code=webhook.webhook_code,
            item_id=webhook.item_id,
            body_sealed=runtime.keyring.seal(text, claim.jwt_hash),
            **planned.stamps(at),
        )
        if new is None:
            return False
        webhook_actions.do(session, planned, webhook.item_id)
        if planned.waits_for_item and webhook.item_id:
            webhook_actions.replay_waiting(session, webhook.item_id)
    return True


def _is_erased(runtime: Runtime, session: Session, webhook: Webhook) -> bool:
    """Say whether it is of an Item that we have erased: of that one nothing is stored again."""
    subject_hash = item_hash(runtime, webhook.item_id or "")
    return Erasure.newest_of(session, subject_hash) is not None
