"""The nouns of the world, each kept as one document in the store."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from platypus_bank.seeds.debts import Kind
from platypus_bank.seeds.inflows import InflowModel
from platypus_bank.seeds.institutions import Health

UpdateStatus = Literal["NOT_READY", "INITIAL_UPDATE_COMPLETE", "HISTORICAL_UPDATE_COMPLETE"]
Preset = Literal["published", "published_production"]
Seconds = Annotated[float, Meta(ge=0)]
DEFAULT_DAYS_REQUESTED = 90


class Document(Struct, kw_only=True):
    """Something with an id; `owner` is the id of what it belongs to."""

    id: str
    owner: str = ""


class LinkToken(Document, kw_only=True):
    """A link token and the request that made it; owned by the Item in update mode."""

    created_at: float
    expires_at: float
    request: dict[str, Any]


class LinkSession(Document, kw_only=True):
    """One passage through Link; owned by its link token. `results` are item_add_results."""

    started_at: float
    finished_at: float | None = None
    results: list[dict[str, Any]] = field(default_factory=list)
    exit: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)


class LinkWalk(Document, kw_only=True):
    """A person's way through Link's pages; its id is the link_session_id, its owner the link token.

    `origin` is that of the page around it, "" for a page of its own; `embedded` until a bank is
    chosen. `error` is what the pane tells of, `again` the pane that a retry leads to. `events` and
    `ending` are as callbacks get them; the events before `first_event` were told to a page that the
    person left for the bank's own, with `events_before_bank` told. At the end the login is forgotten.
    """

    started_at: float
    origin: str
    pane: str
    embedded: bool = False
    institution_id: str | None = None
    query: str = ""
    username: str = ""
    password: str = ""
    mfa_round: int = 0
    error: dict[str, Any] | None = None
    again: str = ""
    oauth_state_id: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    first_event: int = 0
    events_before_bank: int = 0
    ending: dict[str, Any] | None = None


class PublicToken(Document, kw_only=True):
    """Proof that an Item was linked; owned by the Item. Update mode's can't be exchanged."""

    created_at: float
    update_mode: bool = False
    access_token: str | None = None


class AccessToken(Document, kw_only=True):
    """A lasting secret; owned by its Item."""


class Account(Document, kw_only=True):
    """An account; owned by its Item. `body` is Plaid's AccountBase, given out verbatim.

    `role` is what it is to a living person.
    """

    body: dict[str, Any]
    open: bool = True
    role: str | None = None


class Owners(Document, kw_only=True):
    """Whose an account is and its numbers; under its account's id, owned by its Item."""

    owners: list[dict[str, Any]]
    numbers: dict[str, Any]


class Liability(Document, kw_only=True):
    """What is owed on an account: under its account's id, owned by its Item."""

    kind: Kind
    body: dict[str, Any]


class Portfolio(Document, kw_only=True):
    """What an account holds and did, as Plaid tells it: under its account's id, owned by its Item."""

    holdings: list[dict[str, Any]]
    trades: list[dict[str, Any]]
    securities: list[dict[str, Any]]


class InstitutionStatus(Document, kw_only=True):
    """How a bank fares, and since when; under its institution_id."""

    status: Health
    changed_at: float


class Inflow(Document, kw_only=True):
    """Money that comes in once a month: under its account's id, owned by its Item.

    `balance` is that of the last statement day, `known_until` the day up to which all has come in.
    """

    model: InflowModel
    balance: Decimal
    known_until: str


class Script(Document, kw_only=True):
    """Sync pages to deliver as written: they stand for the changes in (start, end]."""

    start: int
    end: int
    pages: list[dict[str, Any]]
    status: str | None = None


class Extraction(Struct, kw_only=True):
    """A fetching of statements that goes on: of those posted between two days, since an instant.

    A refresh (`tells`) ends with a webhook; the first one of an Item does not.
    """

    start_date: str
    end_date: str
    began_at: float
    tells: bool = False


class Item(Document, kw_only=True):
    """One login at one Institution.

    `number` is its short key in the ledger, `last_seq` the last change of its ledger. `told_…` is
    how far webhooks have told it; they tell /transactions/sync only once it was called (`synced`).
    An extraction of investments that a client did not wait for ends at `investments_due_at`.
    What comes in monthly has come in up to the day `inflows_known_until`; None: nothing ever does.
    Statements are those of `statement_months` (`2026-10`); `statement_dates` is what Link was told.
    Its login, as old as `login_since` or the Item, breaks in time, or at `breaks_at`; update mode
    can repair it unless it is not `relinkable`. A living person's money has moved until
    `lived_until` (None: it stands still), and moves next at `changes_at`.
    """

    number: int
    institution_id: str
    username: str
    created_at: float
    webhook: str | None
    products: list[str]
    consented: list[str]
    days_requested: int = DEFAULT_DAYS_REQUESTED
    start_date: str | None = None
    end_date: str | None = None
    transactions_since: float | None = None
    given_out: UpdateStatus = "NOT_READY"
    held: UpdateStatus | None = None
    last_update_at: float | None = None
    lived_until: float | None = None
    changes_at: float | None = None
    last_seq: int = 0
    cursor_era: int = 0
    told_status: UpdateStatus = "NOT_READY"
    told_seq: int = 0
    synced: bool = False
    login_since: float | None = None
    error_code: str | None = None
    error_reason: str | None = None
    relinkable: bool = True
    investments_ready: bool = False
    investments_due_at: float | None = None
    statement_dates: tuple[str, str] | None = None
    statement_months: list[str] = field(default_factory=list)
    extractions: list[Extraction] = field(default_factory=list)
    inflows_known_until: str | None = None
    consent_expires_at: float | None = None
    breaks_at: float | None = None
    break_reason: str | None = None
    failed_at: float | None = None
    removed: bool = False
    last_webhook_at: float | None = None
    last_webhook_code: str | None = None


class RateLimit(Struct, kw_only=True, forbid_unknown_fields=True):
    """Calls a minute to one endpoint: about one Item, and in all; None is no limit."""

    item: Annotated[int, Meta(ge=0)] | None = None
    client: Annotated[int, Meta(ge=0)] | None = None


class Settings(Struct, kw_only=True, forbid_unknown_fields=True):
    """How this world behaves; changed through /platypus/settings. "held" = until told."""

    exchange_mode: Literal["same", "rotate", "strict"] = "same"
    initial_update_seconds: Seconds | Literal["held"] = 0.3
    historical_update_seconds: Seconds | Literal["held"] = 1.0
    public_token_seconds: Seconds = 1800.0
    login_days: Annotated[float, Meta(gt=0)] | None = 30.0
    redirect_uris: list[str] | None = None
    webhook_timeout_seconds: Seconds = 10.0
    give_up_on_rejecting_receivers: bool = True
    rate_limits: dict[str, RateLimit] | Preset | None = None
    secrets: list[str] | None = None


class Charter(Document, kw_only=True):
    """What the store knows about the world as a whole."""

    seed: int
    client_id: str | None = None
    next_number: int = 1
    offset_seconds: float = 0.0
    stands_at: float | None = None
    webhooks_held: bool = False
    settings: Settings = field(default_factory=Settings)
