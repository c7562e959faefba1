"""Opening an Item: a person logs in at a bank and some of their accounts come along."""

from typing import Any

from msgspec import Struct, field

from platypus_bank import inflows
from platypus_bank.access import start_product
from platypus_bank.errors import NoAccounts, ProductsNotSupported
from platypus_bank.facets import put_facets
from platypus_bank.institution_status import check_up
from platypus_bank.living import life
from platypus_bank.records import (
    DEFAULT_DAYS_REQUESTED,
    AccessToken,
    Account,
    Item,
    PublicToken,
)
from platypus_bank.seeds import blueprint, people
from platypus_bank.seeds.institutions import Institution, institution
from platypus_bank.world import World

_BILLED_ON_USE = {"auth", "identity", "signal"}


class Login(Struct, kw_only=True):
    """What a person does in Link: picks a bank, logs in, ticks accounts (None: all of them).

    An account is named by its account_id, mask or name.
    """

    institution_id: str
    username: str
    password: str
    accounts: list[str] | None = None


class Terms(Struct, kw_only=True):
    """What the client asked for: the four product arrays and the bounds of the history."""

    products: list[str] = field(default_factory=list)
    required_if_supported_products: list[str] = field(default_factory=list)
    optional_products: list[str] = field(default_factory=list)
    additional_consented_products: list[str] = field(default_factory=list)
    days_requested: int = DEFAULT_DAYS_REQUESTED
    start_date: str | None = None
    end_date: str | None = None
    statement_dates: tuple[str, str] | None = None
    webhook: str | None = None
    account_filters: dict[str, Any] | None = None

    def started_at(self, bank: Institution) -> list[str]:
        """Return the products put on the Item at once, for a bank that may lack some."""
        wanted = [*self.products, *self.required_if_supported_products]
        wanted += [each for each in self.optional_products if each not in _BILLED_ON_USE]
        return sorted(set(wanted) & set(bank.products))

    def consented_at(self, bank: Institution) -> list[str]:
        """Return every product the person consents to by going through this Link."""
        later = [*self.optional_products, *self.additional_consented_products]
        return sorted({*self.started_at(bank), *(set(later) & set(bank.products))})


def open_item(world: World, login: Login, terms: Terms) -> Item:
    """Make a new Item; two Items of one login share nothing.

    Raises InvalidInstitution, InstitutionDown, ProductsNotSupported, InvalidCredentials,
    ForcedError, NoAccounts.
    """
    bank = institution(login.institution_id)
    check_up(world, bank.institution_id)
    missing = sorted(set(terms.products) - set(bank.products))
    if missing:
        raise ProductsNotSupported(missing)
    item = _new_item(world, login, terms)
    known = log_in(world, login.username, login.password, item.id)
    _open_accounts(world, item, login, terms, known)
    life.begin(world, item)
    world.store.put(item)
    for product in terms.started_at(bank):
        start_product(world, item, product)
    return item


def log_in(world: World, username: str, password: str, dice: str) -> list[blueprint.Account]:
    """Return what a person has in this world today; raises what `people.log_in` does."""
    seeds = people.Seeds(world.charter.seed, dice)
    return people.log_in(username, password, world.clock.today(), seeds)


def _new_item(world: World, login: Login, terms: Terms) -> Item:
    return Item(
        id=world.ids.take(),
        number=world.ids.take_range(1)[0],
        institution_id=login.institution_id,
        username=login.username,
        created_at=world.clock.now(),
        webhook=terms.webhook,
        products=[],
        consented=terms.consented_at(institution(login.institution_id)),
        days_requested=terms.days_requested,
        start_date=terms.start_date,
        end_date=terms.end_date,
        statement_dates=terms.statement_dates,
    )


def _open_accounts(
    world: World, item: Item, login: Login, terms: Terms, known: list[blueprint.Account]
) -> None:
    shown = [each for each in known if passes(terms.account_filters, each.type, each.subtype)]
    accounts = [_account(world, item, each) for each in shown]
    select(accounts, login.accounts)
    today = world.clock.today()
    for account, source in zip(accounts, shown, strict=True):
        world.store.put(account)
        put_facets(world, account, source)
        if source.inflow is not None:
            inflows.begin(world, item, account, source.inflow)
        world.ledger.stage(
            item,
            (
                blueprint.transaction_body(each, world.ids.take(), account.id, today)
                for each in source.transactions
            ),
        )


def _account(world: World, item: Item, known: blueprint.Account) -> Account:
    account_id = world.ids.take()
    return Account(id=account_id, owner=item.id, body=known.body(account_id), role=known.role)


def passes(filters: dict[str, Any] | None, type_: str, subtype: str | None) -> bool:
    """Tell whether an account is shown in Link: a type without a filter is not, when any is set."""
    if not filters:
        return True
    subtypes = (filters.get(type_) or {}).get("account_subtypes", [])
    return "all" in subtypes or subtype in subtypes


def select(accounts: list[Account], wanted: list[str] | None) -> None:
    """Open the wanted accounts and shut the others; raises NoAccounts when none is left."""
    for account in accounts:
        names = {account.id, account.body.get("mask"), account.body.get("name")}
        account.open = wanted is None or not names.isdisjoint(wanted)
    if not any(account.open for account in accounts):
        raise NoAccounts


def issue_access_token(world: World, item_id: str) -> str:
    """Make an access token for an Item and return it."""
    token = AccessToken(id=world.ids.token("access"), owner=item_id)
    world.store.put(token)
    return token.id


def issue_public_token(world: World, item: Item, *, update_mode: bool = False) -> PublicToken:
    """Make a public token for an Item."""
    token = PublicToken(
        id=world.ids.token("public"),
        owner=item.id,
        created_at=world.clock.now(),
        update_mode=update_mode,
    )
    world.store.put(token)
    return token
