"""What the products beside Transactions tell of an account, as the store keeps it."""

from platypus_bank.records import Account, Liability, Owners, Portfolio
from platypus_bank.seeds import blueprint, debts, portfolio
from platypus_bank.world import World


def put_facets(world: World, account: Account, known: blueprint.Account) -> None:
    """Store whose an account is, what is owed on it, and what it holds."""
    world.store.put(
        Owners(id=account.id, owner=account.owner, owners=known.owners, numbers=known.all_numbers())
    )
    if known.liability is not None:
        put_liability(world, account, known.liability)
    if known.portfolio is not None:
        put_portfolio(world, account, known.portfolio)


def put_liability(world: World, account: Account, known: debts.Liability) -> bool:
    """Store what is owed; tells whether that is news."""
    body = {"account_id": account.id, **known.fields}
    record = Liability(id=account.id, owner=account.owner, kind=known.kind, body=body)
    is_news = world.store.get(Liability, account.id) != record
    world.store.put(record)
    return is_news


def put_portfolio(world: World, account: Account, known: portfolio.Portfolio) -> int:
    """Store what is held and was done; returns how many trades are news."""
    trades = [each.body(account.id, _trade_id(world, account, each)) for each in known.trades]
    before = world.store.get(Portfolio, account.id)
    told = {each["investment_transaction_id"] for each in (before.trades if before else ())}
    world.store.put(
        Portfolio(
            id=account.id,
            owner=account.owner,
            holdings=[each.body(account.id) for each in known.holdings],
            trades=trades,
            securities=[each.body() for each in known.securities()],
        )
    )
    return sum(each["investment_transaction_id"] not in told for each in trades)


def _trade_id(world: World, account: Account, trade: portfolio.Trade) -> str:
    return world.ids.named(account.id, trade.key) if trade.key else world.ids.take()
