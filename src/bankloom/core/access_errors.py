"""What is said to those who may not: without a key, or with one that lacks a scope."""

from __future__ import annotations

from typing import ClassVar

from bankloom.core.errors import BankloomError


class UnauthorizedError(BankloomError):
    """No valid API key. Send the header `Authorization: Bearer <key>`."""

    code = "unauthorized"
    status = 401
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class ScopeRequiredError(BankloomError):
    """The key may not do that. Use one that has the scope named here: `bankloom keys list`."""

    code = "scope_required"
    status = 403

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This key lacks the scope `{scope}`. Use one that has it; `bankloom keys list` shows "
            "the keys and their scopes, and `bankloom keys create` makes another.",
            scope=scope,
        )


class SignInNeededError(BankloomError):
    """Sign in first: the session is over, or there was none."""

    code = "sign_in_needed"
    status = 401


class FormOutdatedError(BankloomError):
    """The form is out of date, or was not sent from the console. Open its page again, and repeat it."""

    code = "form_outdated"
    status = 403
