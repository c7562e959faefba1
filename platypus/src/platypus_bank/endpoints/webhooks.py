"""/webhook_verification_key/get (https://plaid.com/docs/api/webhooks/webhook-verification/)."""

from typing import Any

from platypus_bank.endpoints import Table
from platypus_bank.errors import InvalidWebhookVerificationKeyId
from platypus_bank.requests import PlaidRequest
from platypus_bank.webhooks import signing
from platypus_bank.world import World


class WebhookVerificationKeyGet(PlaidRequest, kw_only=True):
    """WebhookVerificationKeyGetRequest."""

    key_id: str


def webhook_verification_key_get(
    world: World, request: WebhookVerificationKeyGet
) -> dict[str, Any]:
    """Return the public half of a key, expired or not; raises InvalidWebhookVerificationKeyId."""
    key = world.store.get(signing.SigningKey, request.key_id)
    if key is None:
        raise InvalidWebhookVerificationKeyId
    return {"key": signing.jwk(key)}


TABLE: Table = {
    "/webhook_verification_key/get": (WebhookVerificationKeyGet, webhook_verification_key_get),
}
