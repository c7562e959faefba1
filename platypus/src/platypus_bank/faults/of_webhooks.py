"""The faults that befall webhooks on their way."""

from platypus_bank.faults.asked import WHICH_WEBHOOKS
from platypus_bank.faults.named import WebhookFault
from platypus_bank.webhooks.trouble import TroubleRequest

_LATE_SECONDS = 600.0


def of_webhooks() -> list[WebhookFault]:
    """Return what can happen to a webhook; each is one wish to the trouble on their way."""
    return [
        WebhookFault(
            name="webhook_late",
            does="sent after `seconds` (600) of the world's clock",
            trouble=lambda asked: TroubleRequest(
                delay_seconds=_LATE_SECONDS if asked.seconds is None else asked.seconds
            ),
            parameters=("seconds", *WHICH_WEBHOOKS),
        ),
        WebhookFault(
            name="webhook_doubled",
            does="sent twice, each signed alone",
            trouble=lambda _: TroubleRequest(double=True),
            parameters=WHICH_WEBHOOKS,
        ),
        WebhookFault(
            name="webhook_reordered",
            does="`count` (2) are collected, then sent last first",
            trouble=lambda asked: TroubleRequest(reorder=asked.count or 2),
            parameters=("count", *WHICH_WEBHOOKS),
        ),
        WebhookFault(
            name="webhook_dropped",
            does="never sent",
            trouble=lambda _: TroubleRequest(drop=True),
            parameters=WHICH_WEBHOOKS,
        ),
        WebhookFault(
            name="webhook_badly_signed",
            does="sent once, forged: `forge` (`bad_signature`)",
            trouble=lambda asked: TroubleRequest(forge=asked.forge or "bad_signature"),
            parameters=("forge", *WHICH_WEBHOOKS),
        ),
        WebhookFault(
            name="webhook_rotated_key",
            does="a new key signs from now on: a good webhook under a `kid` never seen before",
            trouble=lambda _: TroubleRequest(rotate=True),
            parameters=WHICH_WEBHOOKS,
        ),
        WebhookFault(
            name="webhook_expired_key",
            does="sent once, signed with a key that has expired",
            trouble=lambda _: TroubleRequest(forge="expired_key"),
            parameters=WHICH_WEBHOOKS,
        ),
    ]
