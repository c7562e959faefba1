"""What a fault that has a name consists of."""

from collections.abc import Callable

from msgspec import Struct

from platypus_bank.faults import spoiling
from platypus_bank.faults.asked import ANY_PATH, NamedFault, Parameter
from platypus_bank.faults.planted import Fits, Spoil
from platypus_bank.webhooks.trouble import TroubleRequest


class Named(Struct, frozen=True, kw_only=True):
    """Something to plant by its name; `does` is one sentence for the README."""

    name: str
    does: str
    parameters: tuple[Parameter, ...] = ()


class CallFault(Named, frozen=True, kw_only=True):
    """A fault of calls. It is `bound` to its paths where it makes no sense on others.

    `retried`: a client that retries what failed, and begins a voided loop again, gets over it.
    """

    spoil: Spoil
    paths: tuple[str, ...] = (ANY_PATH,)
    fits: Fits = spoiling.any_call
    bound: bool = False
    retried: bool = False


class WebhookFault(Named, frozen=True, kw_only=True):
    """A fault of webhooks; a client that also asks by itself gets over all of them."""

    trouble: Callable[[NamedFault], TroubleRequest]
