"""When a webhook is tried again, as documented (https://plaid.com/docs/api/webhooks/).

After 30 seconds, then each time after four times the last delay, for a day; a receiver that
refuses almost everything is not tried again.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from platypus_bank.webhooks.deliveries import Delivery
from platypus_bank.world import World

FIRST_DELAY_SECONDS = 30.0
FACTOR = 4
LIFETIME_SECONDS = 24 * 3600.0
RETRY_AFTER_MAX_SECONDS = 4 * 3600.0
REJECTING_SHARE = 0.9
REJECTING_SENT_MIN = 10  # ours: fewer webhooks than this say nothing about a receiver
TOO_MANY = 429


def plan(world: World, delivery: Delivery, retry_after_seconds: float | None) -> None:
    """Decide what follows on a failed try: another one later, or the end."""
    last = delivery.attempts[-1]
    delay = FIRST_DELAY_SECONDS * FACTOR ** (len(delivery.attempts) - 1)
    if last.status == TOO_MANY and retry_after_seconds is not None:
        delay = min(retry_after_seconds, RETRY_AFTER_MAX_SECONDS)
    now = world.clock.now()
    delivery.ends_at = delivery.ends_at or now + LIFETIME_SECONDS
    delivery.due_at = now + delay
    if delivery.forge is not None:
        _give_up(delivery, "a forgery is sent once")
    elif delivery.due_at > delivery.ends_at:
        _give_up(delivery, "tried for 24 hours")
    elif _rejects_everything(world, delivery.url, now):
        _give_up(delivery, "the receiver rejected over 90 % of the webhooks of the last 24 hours")


def _give_up(delivery: Delivery, reason: str) -> None:
    delivery.state, delivery.reason = "given_up", reason


def _rejects_everything(world: World, url: str, now: float) -> bool:
    if not world.charter.settings.give_up_on_rejecting_receivers:
        return False
    sent, refused = world.deliveries.tally(url, now - LIFETIME_SECONDS)
    return sent >= REJECTING_SENT_MIN and refused > REJECTING_SHARE * sent


def seconds_of(header: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds a Retry-After header asks for: a number, an HTTP date, or ISO 8601.

    None when there is no header, or it is none of these.
    """
    if header is None:
        return None
    try:
        return max(float(header), 0.0)
    except ValueError:
        instant = _instant(header)
    if instant is None:
        return None
    return max((instant - (now or datetime.now(UTC))).total_seconds(), 0.0)


def _instant(text: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(text)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
