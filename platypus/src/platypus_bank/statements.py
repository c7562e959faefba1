"""How statements come in: extracted once at first, and again whenever a client asks for it.

A statement is posted on the last day of its month and can be had from the next day on; that it is a
month of the calendar is ours. https://plaid.com/docs/api/products/statements/
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date

from msgspec import Struct

from platypus_bank import ids
from platypus_bank.errors import InvalidField, ProductNotReady
from platypus_bank.records import Account, Extraction, Item
from platypus_bank.webhooks import outbox
from platypus_bank.webhooks.bodies import webhook
from platypus_bank.world import World

PERIOD_DAYS_MAX = 731  # "You can request up to two years of data"
_FIRST_YEAR = 2010  # the least that StatementsStatement.year may be
_TYPES = {"depository", "credit"}  # whose accounts have statements; ours


class Period(Struct, kw_only=True):
    """Between which days statements were posted (LinkTokenCreateRequestStatements)."""

    start_date: date
    end_date: date

    def days(self) -> tuple[str, str]:
        """Return both days; raises InvalidField where they are no period of up to two years."""
        check_period(self.start_date, self.end_date)
        return self.start_date.isoformat(), self.end_date.isoformat()


class Month(Struct, frozen=True, order=True):
    """A month of the calendar."""

    year: int
    month: int

    @classmethod
    def read(cls, text: str) -> "Month":
        """Return the month of `2026-10` or of `2026-10-31`."""
        return cls(int(text[:4]), int(text[5:7]))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"

    def next(self) -> "Month":
        """Return the month that follows."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def first_day(self) -> date:
        """Return the day with which the statement begins."""
        return date(self.year, self.month, 1)

    def last_day(self) -> date:
        """Return the day with which the statement ends, and on which it is posted."""
        return date(self.year, self.month, monthrange(self.year, self.month)[1])


def check_period(start: date, end: date) -> None:
    """Raise InvalidField for an end before the start, and for more than two years."""
    if end < start:
        raise InvalidField("start_date must not be after end_date")
    if (end - start).days > PERIOD_DAYS_MAX:
        raise InvalidField("the requested date range must not be longer than two years")


def check_dates(products: list[str], dates: Period | None) -> None:
    """Raise InvalidField where `statements` is asked for without its dates, or with wrong ones."""
    if dates is not None:
        dates.days()
    elif "statements" in products:
        raise InvalidField("statements.start_date and statements.end_date are required")


def check_ready(item: Item) -> None:
    """Raise ProductNotReady while the first extraction goes on."""
    if any(not each.tells for each in item.extractions):
        raise ProductNotReady


def refresh(world: World, item: Item, period: Period) -> None:
    """Begin another extraction; raises InvalidField."""
    start, end = period.days()
    item.extractions.append(
        Extraction(start_date=start, end_date=end, began_at=world.clock.now(), tells=True)
    )
    world.store.put(item)


def next_end_at(world: World, item: Item) -> float | None:
    """Return the instant at which the next extraction ends; None: not by the clock alone."""
    ends = [_end_at(world, each) for each in item.extractions if _can_end(item, each)]
    return min((each for each in ends if each is not None), default=None)


def _end_at(world: World, extraction: Extraction) -> float | None:
    seconds = world.charter.settings.historical_update_seconds
    return None if seconds == "held" else extraction.began_at + seconds


def _can_end(item: Item, extraction: Extraction) -> bool:
    # The first one waits for the login to be repaired; a refresh fails.
    return extraction.tells or item.error_code is None


def settle(world: World, item: Item) -> None:
    """End the extractions whose time has come; a refresh tells how it went."""
    if item.removed:
        return
    now = world.clock.now()
    for each in list(item.extractions):
        end_at = _end_at(world, each)
        if end_at is not None and end_at <= now and _can_end(item, each):
            _end(world, item, each)


def _end(world: World, item: Item, extraction: Extraction) -> None:
    item.extractions.remove(extraction)
    if item.error_code is None:
        found = {str(each) for each in _posted(extraction, world.clock.today())}
        item.statement_months = sorted(found | set(item.statement_months))
    world.store.put(item)
    if extraction.tells:
        result = "SUCCESS" if item.error_code is None else "FAILURE"
        told = webhook("STATEMENTS", "STATEMENTS_REFRESH_COMPLETE", item_id=item.id, result=result)
        outbox.fire(world, item, told)


def _posted(extraction: Extraction, today: date) -> Iterator[Month]:
    month = max(Month.read(extraction.start_date), Month(_FIRST_YEAR, 1))
    end = date.fromisoformat(extraction.end_date)
    while (last_day := month.last_day()) <= end and last_day < today:
        yield month
        month = month.next()


def has_statements(account: Account) -> bool:
    """Tell whether an account is of a kind that has statements."""
    return account.body["type"] in _TYPES


def statement_id(account: Account, month: str) -> str:
    """Return the id of an account's statement of a month, the same whenever it is extracted."""
    return ids.named_id("statement", account.id, month)
