"""The only place that speaks to Plaid: its client carries the request, msgspec reads the answer.

plaid-python's typed responses decode some hundred transactions a second and turn money into
floats; so its answers are taken raw. It gives authentication, request models and transport.
"""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import plaid
import urllib3
from plaid.api.plaid_api import PlaidApi
from plaid.model.accounts_get_request import AccountsGetRequest
from plaid.model.institutions_get_by_id_request import InstitutionsGetByIdRequest
from plaid.model.item_access_token_invalidate_request import ItemAccessTokenInvalidateRequest
from plaid.model.item_get_request import ItemGetRequest
from plaid.model.item_public_token_exchange_request import ItemPublicTokenExchangeRequest
from plaid.model.item_remove_request import ItemRemoveRequest
from plaid.model.item_webhook_update_request import ItemWebhookUpdateRequest
from plaid.model.link_token_create_request import LinkTokenCreateRequest
from plaid.model.link_token_get_request import LinkTokenGetRequest
from plaid.model.transactions_refresh_request import TransactionsRefreshRequest
from plaid.model.transactions_sync_request import TransactionsSyncRequest
from plaid.model.transactions_sync_request_options import TransactionsSyncRequestOptions
from plaid.model.webhook_verification_key_get_request import WebhookVerificationKeyGetRequest

from bankloom.core import clock
from bankloom.core.errors import PlaidUnreachableError
from bankloom.models import World
from bankloom.services import plaid_connections, plaid_refusals
from bankloom.services import plaid_messages as messages
from bankloom.services.plaid_gate import Call, open_gate
from bankloom.services.plaid_secret import PlaidSecret

if TYPE_CHECKING:
    from collections.abc import Callable

    from bankloom.core.settings import PlaidSettings
    from bankloom.core.signatures import Jwk
    from bankloom.services.plaid_gate import Gate

PAGE_SIZE = 500
"""The largest `count` of `/transactions/sync`; fewer pages, fewer mutations in between."""

KEY_SECONDS_MAX = 4.0
"""How long a webhook's key is waited for: Plaid itself gives up on us after 10 s, and tries again."""

CONNECTIONS = 64
DAYS_REQUESTED = 730
"""The most history there is; it can't be raised later (spec `LinkTokenTransactions`)."""

HOSTED_LINK_SECONDS = 24 * 3600
"""How long a hosted URL is good for: an e-mail may be read the next morning. Plaid's default is 30
minutes (spec `HostedLinkURLLifetimeSeconds`)."""

Message = TypeVar("Message")


class PlaidClient:
    """One Plaid client id in one environment; safe to share between threads.

    Every method raises `PlaidRefusedError` where Plaid answers with an error,
    `PlaidUnreachableError` where it gives no readable answer, so that the effect is unknown, and
    `PlaidBusyError` where the `gate`, which each call passes, does not let it leave yet.
    `seconds_behind` is how far this machine's clock is behind Plaid's, by its last answer's `Date`.
    """

    def __init__(self, settings: PlaidSettings, gate: Gate = open_gate) -> None:
        self._settings = settings
        self._gate = gate
        configuration = plaid.Configuration(
            host=settings.host,
            api_key={
                "clientId": settings.client_id,
                "secret": settings.secret.get_secret_value(),
                "plaidVersion": "2020-09-14",
            },
        )
        configuration.retries = urllib3.Retry(0, redirect=0)  # one retry layer, and it is not here
        configuration.connection_pool_maxsize = CONNECTIONS
        self._api_client = plaid.ApiClient(configuration)
        self._api_client.rest_client.pool_manager.pool_classes_by_scheme = plaid_connections.POOLS
        self._api = PlaidApi(self._api_client)
        self.secret = PlaidSecret(configuration.api_key)
        self.seconds_behind: float | None = None

    @property
    def world(self) -> World:
        """The world that this client's tokens live in."""
        return world_of(self._settings)

    def close(self) -> None:
        """Give the connections back."""
        self._api_client.close()

    def link_token_create(
        self, client_user_id: str, wanted: dict[str, Any], *, hosted: bool
    ) -> messages.LinkTokenCreated:
        """Ask for a link token; `wanted` are the fields that say what for, None where left out.

        Hosted Link sees to the way back from an OAuth bank by itself. See
        plaid.com/docs/api/link/#linktokencreate.
        """
        settings = self._settings
        common = {
            "client_name": settings.client_name,
            "language": settings.language,
            "country_codes": settings.country_codes,
            "user": {"client_user_id": client_user_id},
            "redirect_uri": None if hosted else settings.redirect_uri,
            "hosted_link": {"url_lifetime_seconds": HOSTED_LINK_SECONDS} if hosted else None,
        }
        body = _request(LinkTokenCreateRequest, common | wanted)
        return self._call(self._api.link_token_create, body, messages.LinkTokenCreated)

    def link_token_get(self, link_token: str) -> messages.LinkTokenInfo:
        """Ask what was linked with a link token."""
        body = LinkTokenGetRequest(link_token=link_token)
        return self._call(self._api.link_token_get, body, messages.LinkTokenInfo)

    def public_token_exchange(self, public_token: str) -> messages.TokenExchanged:
        """Spend a public token; Plaid may accept it only once."""
        body = ItemPublicTokenExchangeRequest(public_token=public_token)
        return self._call(self._api.item_public_token_exchange, body, messages.TokenExchanged)

    def item_get(self, access_token: str) -> messages.ItemInfo:
        """Ask for the Item's own state; answers for Items in error too."""
        body = ItemGetRequest(access_token=access_token)
        return self._call(self._api.item_get, body, messages.ItemInfo)

    def access_token_invalidate(self, access_token: str) -> str:
        """Return another access token for the Item; this one is void from then on."""
        body = ItemAccessTokenInvalidateRequest(access_token=access_token)
        method = self._api.item_access_token_invalidate
        return self._call(method, body, messages.TokenRotated).new_access_token

    def item_remove(self, access_token: str) -> str | None:
        """End the Item and its billing; the access token is void then. Return Plaid's request id."""
        body = ItemRemoveRequest(access_token=access_token)
        return self._call(self._api.item_remove, body, messages.Accepted).request_id

    def item_webhook_update(self, access_token: str, webhook: str | None) -> None:
        """Register where the Item's webhooks go."""
        body = ItemWebhookUpdateRequest(access_token=access_token, webhook=webhook)
        self._call(self._api.item_webhook_update, body, dict)

    def accounts_get(self, access_token: str) -> list[tuple[messages.PlaidAccount, bytes]]:
        """Return the Item's open accounts with cached balances, each with its JSON as received."""
        body = AccountsGetRequest(access_token=access_token)
        raws = self._call(self._api.accounts_get, body, messages.AccountsInfo).accounts
        return [(decode_account(raw), bytes(raw)) for raw in raws]

    def institutions_get_by_id(
        self, institution_id: str
    ) -> tuple[messages.PlaidInstitution, bytes]:
        """Return an institution with its JSON as received."""
        wanted = {
            "institution_id": institution_id,
            "country_codes": self._settings.country_codes,
            "options": {"include_optional_metadata": True},
        }
        body = _request(InstitutionsGetByIdRequest, wanted)
        info = self._call(self._api.institutions_get_by_id, body, messages.InstitutionInfo)
        return _read(info.institution, messages.PlaidInstitution), bytes(info.institution)

    def transactions_sync(
        self, access_token: str, cursor: str, while_waiting: Callable[[], None] | None = None
    ) -> messages.SyncPage:
        """Pull one page of the Item's changes since `cursor`; empty means from the beginning.

        The first call may be what adds Transactions to the Item, so it asks for all the history.
        `while_waiting` belongs to the pages after an update's first, see `Gate`: to give up there
        would throw away what was pulled, and a long history would never come to its end.
        """
        options = TransactionsSyncRequestOptions(include_original_description=True)
        if not cursor:
            options.days_requested = DAYS_REQUESTED
        body = TransactionsSyncRequest(
            access_token=access_token, cursor=cursor, count=PAGE_SIZE, options=options
        )
        return self._call(self._api.transactions_sync, body, messages.SyncPage, while_waiting)

    def transactions_refresh(self, access_token: str) -> str | None:
        """Have Plaid ask the bank again, which is billed; return Plaid's request id."""
        body = TransactionsRefreshRequest(access_token=access_token)
        return self._call(self._api.transactions_refresh, body, messages.Accepted).request_id

    def webhook_verification_key_get(self, kid: str) -> Jwk:
        """Return a public key that Plaid signs webhooks with, or signed them with once."""
        body = WebhookVerificationKeyGetRequest(key_id=kid)
        method = self._api.webhook_verification_key_get
        return self._call(method, body, messages.WebhookKeyInfo, seconds_max=KEY_SECONDS_MAX).key

    def _call(
        self,
        method: Callable[..., Any],
        body: Any,  # noqa: ANN401 - plaid-python's models are untyped
        answer: type[Message],
        while_waiting: Callable[[], None] | None = None,
        *,
        seconds_max: float = math.inf,
    ) -> Message:
        path = getattr(self._api, f"{method.__name__}_endpoint").settings["endpoint_path"]
        call = Call(path, body.get("access_token"), body.get("cursor") == "")
        send = partial(self._send, method, body, answer, seconds_max)
        return self.secret.guard(lambda: self._gate(call, send, while_waiting))

    def _compare_clocks(self, date: str | None) -> None:
        try:
            theirs = parsedate_to_datetime(date or "").replace(tzinfo=UTC)  # HTTP has no other
        except ValueError:
            return
        self.seconds_behind = (theirs - clock.now()).total_seconds()

    def _send(
        self, method: Callable[..., Any], body: object, answer: type[Message], seconds_max: float
    ) -> Message:
        waits = (self._settings.connect_timeout_seconds, self._settings.read_timeout_seconds)
        timeout = tuple(min(seconds, seconds_max) for seconds in waits)
        try:
            response = method(body, _preload_content=False, _request_timeout=timeout)
            self._compare_clocks(response.headers.get("Date"))
            return _read(_storable(response.data), answer)
        except plaid.ApiException as error:
            raise plaid_refusals.read(error.status, error.headers, error.body) from error
        except UnicodeDecodeError as error:  # plaid-python decodes an error's body, whatever it is
            raise _unreadable(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise PlaidUnreachableError(
                f"Plaid gave no answer at {self._settings.host} ({type(error).__name__}). "
                "Check the network and PLAID_BASE_URL; what was asked will be tried again.",
                was_sent=not isinstance(getattr(error, "reason", error), _NOT_SENT),
            ) from error


def world_of(settings: PlaidSettings) -> World:
    """Return the world that these settings name."""
    return World(settings.env, settings.host, settings.client_id)


def endpoints() -> set[str]:
    """Return the path of every endpoint that Plaid has, as far as its client knows."""
    attributes = vars(PlaidApi(plaid.ApiClient(plaid.Configuration())))
    found = (each for name, each in attributes.items() if name.endswith("_endpoint"))
    return {each.settings["endpoint_path"] for each in found}


_NOT_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    plaid_connections.HandshakeError,
)
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def _storable(data: bytes) -> bytes:
    """Leave out NUL characters: no PostgreSQL text holds one, and it would stop an Item for ever."""
    return _NUL.sub(rb"\1", data) if rb"\u0000" in data else data


def decode_account(raw: msgspec.Raw) -> messages.PlaidAccount:
    """Read one account's JSON."""
    return _read(raw, messages.PlaidAccount)


_transaction = msgspec.json.Decoder(messages.PlaidTransaction)


def decode_transaction(raw: msgspec.Raw) -> messages.PlaidTransaction:
    """Read one transaction's JSON, money exact. Errors: `PlaidUnreachableError` if it is not one."""
    try:
        return _transaction.decode(raw)
    except msgspec.MsgspecError as error:
        raise _unreadable(error) from error


def _request(model: Any, wanted: dict[str, Any]) -> Any:  # noqa: ANN401 - plaid-python's models are untyped
    """Build a request model, nested ones included, from plain values; what is None is left out."""
    given = {name: value for name, value in wanted.items() if value is not None}
    build = model._from_openapi_data  # noqa: SLF001 - the one way in that converts nested values
    return build(**given, _configuration=plaid.Configuration(), _spec_property_naming=True)


def _read(data: Any, answer: type[Message]) -> Message:  # noqa: ANN401 - bytes-like, Raw included
    try:
        return msgspec.json.decode(data, type=answer)
    except msgspec.MsgspecError as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> PlaidUnreachableError:
    return PlaidUnreachableError(f"Plaid's answer can't be read: {error}. It will be asked again.")
