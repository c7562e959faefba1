"""What /transactions/refresh finds at the bank of user_transactions_dynamic.

As documented: earlier pendings post, new ones appear, and one earlier transaction costs $1.00
more. https://plaid.com/docs/transactions/transactions-data/
"""

from random import Random

from platypus_bank import history
from platypus_bank.ledger import Row
from platypus_bank.records import Account, Item
from platypus_bank.seeds import blueprint, dynamic, people
from platypus_bank.world import World


def ask_the_bank(world: World, item: Item) -> None:
    """Let everything come in that the bank has by now, and what one refresh finds there."""
    history.settle(world, item)
    _refresh(world, item, Random(f"{item.id}/{item.last_seq}"))  # noqa: S311 - reproducible


def _refresh(world: World, item: Item, random: Random) -> None:
    """Move the bank of a dynamic user on by one refresh; other people's stand still."""
    item.last_update_at = world.clock.now()
    world.store.put(item)
    if item.username != people.DYNAMIC:
        return
    rows = world.ledger.present(item)
    pendings = [row for row in rows if row.fields()["pending"]]
    posted = [row for row in rows if row not in pendings]
    today = world.clock.today()
    for row in pendings:
        history.post(world, item, row, today.isoformat())
    if posted:
        _raise_by_one_dollar(world, item, random.choice(posted))
    accounts = [each.id for each in world.store.of(Account, item.id) if each.open]
    for place in range(dynamic.PENDING):
        bought = dynamic.pending(today, random)
        account_id = accounts[place % len(accounts)]
        body = blueprint.transaction_body(bought, world.ids.take(), account_id, today)
        world.ledger.put(item, body)
    world.store.put(item)


def _raise_by_one_dollar(world: World, item: Item, row: Row) -> None:
    fields = row.fields()
    world.ledger.put(item, fields | {"amount": fields["amount"] + 1})
