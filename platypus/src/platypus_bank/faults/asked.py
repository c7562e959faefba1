"""What a test asks for: a fault by its name, or one put together by hand."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from platypus_bank.errors import error_body
from platypus_bank.webhooks.deliveries import Forgery

ANY_PATH = "*"
Chance = Annotated[float, Meta(ge=0, le=1)]
Pattern = Annotated[str, Meta(pattern=r"^(/|\*$)")]


class Aim(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which of the matching calls to spoil.

    The first `after` pass; then `times` are spoiled (0: all). With a `chance` (0 to 1) each one
    is spoiled or not as the world's seed decides, and `times` is 0 unless given.
    """

    item_id: str | None = None
    after: Annotated[int, Meta(ge=0)] = 0
    times: Annotated[int, Meta(ge=0)] | None = None
    chance: Chance | None = None

    @property
    def times_max(self) -> int:
        """Return how many calls are spoiled at most; 0 means any number."""
        if self.times is None:
            return 1 if self.chance is None else 0
        return self.times


class FaultError(Struct, kw_only=True, forbid_unknown_fields=True):
    """The refusal to give."""

    error_type: str
    error_code: str
    error_message: str = "this error was planted through the control API"
    status: Annotated[int, Meta(ge=400, le=599)] = 400

    def body(self) -> dict[str, object]:
        """Return it in Plaid's shape."""
        return error_body(self.error_type, self.error_code, self.error_message)


class FaultRequest(Aim, kw_only=True, forbid_unknown_fields=True):
    """A fault by hand.

    A held call waits until released and then goes on; so does a delayed one. Only
    `drop_after_effect` lets the effect happen before it spoils the answer.
    """

    path: Pattern
    error: FaultError | None = None
    delay_seconds: Annotated[float, Meta(ge=0, le=600)] = 0.0
    drop: bool = False
    drop_after_effect: bool = False
    hold: bool = False
    body: str | None = None


class NamedFault(Aim, kw_only=True, forbid_unknown_fields=True):
    """A fault of the catalogue; each name takes some of the parameters below `path`."""

    name: str
    path: Pattern | None = None
    seconds: Annotated[float, Meta(ge=0, le=30 * 86_400)] | None = None
    page: Annotated[int, Meta(ge=2, le=100_000)] | None = None
    count: Annotated[int, Meta(ge=2, le=1000)] | None = None
    forge: Forgery | None = None
    webhook_type: str | None = None
    webhook_code: str | None = None


Asked = FaultRequest | NamedFault
Parameter = Literal["seconds", "page", "count", "forge", "webhook_type", "webhook_code"]
WHICH_WEBHOOKS: tuple[Parameter, ...] = ("webhook_type", "webhook_code")


def covers(pattern: str, path: str) -> bool:
    """Tell whether a path is meant: by itself, by the folder it is in (`/accounts/`), or by `*`."""
    return pattern in (ANY_PATH, path) or (pattern.endswith("/") and path.startswith(pattern))
