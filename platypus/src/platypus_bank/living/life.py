"""A living Item in its world: its money moves on as the clock does."""

from datetime import date, timedelta
from decimal import Decimal

from platypus_bank.clock import DAY_SECONDS, day_of, midnight
from platypus_bank.facets import put_liability, put_portfolio
from platypus_bank.living import days, household, investing, rows
from platypus_bank.living.movements import Movement, State, Step, step
from platypus_bank.living.news import News, tell
from platypus_bank.living.person import Person, is_living, person
from platypus_bank.money import money
from platypus_bank.records import Account, Item
from platypus_bank.world import World

_RECOMPUTED = {"brokerage", "mortgage", "student"}


def begin(world: World, item: Item) -> None:
    """Start the life of a new Item of a living person; others have none.

    What is pending now takes from what is available already.
    """
    if not is_living(item.username):
        return
    now = item.lived_until = world.clock.now()
    accounts = _accounts(world, item)
    movements = list(days.around(_who(world, item), now, now + DAY_SECONDS))
    item.changes_at = _next(movements, now)
    for movement in movements:
        account, state = accounts.get(movement.account), movement.state(now)
        if account is not None and state is not None and state.pending:
            _book(account, movement, state, +1)
            world.store.put(account)


def settle(world: World, item: Item) -> None:
    """Let an Item's money move until now."""
    now = world.clock.now()
    since = item.lived_until
    if since is None or item.changes_at is None or now < item.changes_at:
        return
    who, accounts = _who(world, item), _accounts(world, item)
    movements = list(days.around(who, since, now + DAY_SECONDS))
    steps = [found for each in movements if (found := step(each, since, now))]
    steps.sort(key=lambda each: (each.at, each.movement.key))
    for each in steps:
        _take(world, item, accounts, each)
    for account in {each.movement.account for each in steps} & accounts.keys():
        world.store.put(accounts[account])
    item.lived_until, item.changes_at = now, _next(movements, now)
    if day_of(since) != day_of(now):
        _new_day(world, item, who, accounts)
    if steps:
        item.last_update_at = now
    world.store.put(item)


def _next(movements: list[Movement], now: float) -> float:
    instants = (at for each in movements for at in each.instants() if at > now)
    return min([midnight(day_of(now) + timedelta(days=1)), *instants])


def _take(world: World, item: Item, accounts: dict[str, Account], change: Step) -> None:
    movement, before, after = change.movement, change.before, change.after
    account = accounts.get(movement.account)
    if account is None:
        return
    _book(account, movement, before, -1)
    _book(account, movement, after, +1)
    if item.given_out == "NOT_READY":
        return
    old = None if before is None else rows.row_id(world, item, movement, before)
    new = None if after is None else rows.body(world, item, account, movement, after)
    if old is not None and (new is None or new["transaction_id"] != old):
        world.ledger.remove(item, old)
    if new is not None and new["date"] <= (item.end_date or new["date"]):
        world.ledger.replace(item, new, shown=account.open)


def _book(account: Account, movement: Movement, state: State | None, sign: int) -> None:
    """Let a movement count in an account's balances (+1), or no more (-1)."""
    if state is None or movement.account in _RECOMPUTED:
        return
    amount = sign * money(movement.amount(state))
    _move(account, "available", -amount)
    if not state.pending:
        _move(account, "current", amount if account.body["type"] == "credit" else -amount)


def _move(account: Account, name: str, by: Decimal) -> None:
    """Change a balance; one that a test has taken away stays unknown."""
    known = account.body["balances"].get(name)
    if known is not None:
        account.body["balances"][name] = known + by


def stage(world: World, item: Item) -> None:
    """Lay down the history of a living Item as it stands, for the Item to give out."""
    if item.lived_until is None:
        return
    who, accounts = _who(world, item), _accounts(world, item)
    since = item.created_at - item.days_requested * DAY_SECONDS
    if item.start_date is not None:
        since = min(since, midnight(date.fromisoformat(item.start_date)))
    world.ledger.stage(
        item,
        (
            rows.body(world, item, accounts[each.account], each, state)
            for each in days.around(who, since, item.lived_until)
            if each.account in accounts and (state := each.state(item.lived_until))
        ),
    )


def _new_day(world: World, item: Item, who: Person, accounts: dict[str, Account]) -> None:
    """Bring up to date what follows from the day alone: values, debts, what is due when."""
    news = News()
    for source in household.changing(who, world.clock.today()):
        account = accounts.get(source.role or "")
        if account is None:
            continue
        if source.role in _RECOMPUTED:
            account.body["balances"]["current"] = source.current
            world.store.put(account)
        if source.liability is not None and put_liability(world, account, source.liability):
            news.debts.append(account.id)
    broker = accounts.get("brokerage")
    if broker is not None and "investments" in item.products:
        held = investing.portfolio(who, world.clock.today())
        news.holdings, news.trades = len(held.holdings), put_portfolio(world, broker, held)
    tell(world, item, news)


def look_at_portfolio(world: World, item: Item) -> None:
    """Store what a living person holds, when the product that tells of it comes to the Item."""
    broker = None if item.lived_until is None else _accounts(world, item).get("brokerage")
    if broker is not None:
        held = investing.portfolio(_who(world, item), world.clock.today())
        put_portfolio(world, broker, held)


def _who(world: World, item: Item) -> Person:
    return person(world.charter.seed, item.username)


def _accounts(world: World, item: Item) -> dict[str, Account]:
    return {each.role: each for each in world.store.of(Account, item.id) if each.role}
