"""What each webhook says (the *Webhook schemas of the OpenAPI file and their examples)."""

from typing import Any

from platypus_bank.access import ENVIRONMENT

Body = dict[str, Any]


def link_webhook(code: str, link_token: str, link_session_id: str, **fields: Any) -> Body:
    """Return a webhook about a Link session: LINK / `code`."""
    about = {"link_token": link_token, "link_session_id": link_session_id}
    return {"webhook_type": "LINK", "webhook_code": code, **about, **fields, **_ENVIRONMENT}


_ENVIRONMENT = {"environment": ENVIRONMENT}
