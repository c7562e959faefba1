"""Logs: nothing that opens a door is ever written."""

from __future__ import annotations

import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bankloom.core.logs import RedactingFormatter, redact

ID = "8ab976e6-64bc-4b38-98f7-731e7a349970"
SECRETS = {
    "access token": (f"access-sandbox-{ID}", "access-sandbox-"),
    "access token of Production": (f"access-production-{ID}", "access-production-"),
    "public token": (f"public-sandbox-{ID}", "public-sandbox-"),
    "link token": (f"link-sandbox-{ID}", "link-sandbox-"),
    "processor token": (f"processor-sandbox-{ID}", "processor-sandbox-"),
    "report token": (f"asset-report-production-{ID}", "asset-report-production-"),
    "service key": ("bl_0123abcd_Zm9v-YmFy_" + "x" * 21, "bl_0123abcd_"),
    "bearer key": ("Authorization: Bearer s3cr3t+key/==", "Authorization: Bearer "),
    "lower case bearer": ("authorization: bearer s3cr3t+key/==", "authorization: bearer "),
    "database URL": ("postgresql://me:hunter2@host/db", "postgresql://me:"),
    "driver URL": ("postgresql+psycopg://me:hunter2@host/db", "postgresql+psycopg://me:"),
    "short URL": ("postgres://me:hunter2@host/db", "postgres://me:"),
    "connection string": ("host=h user=me password=hunter2 dbname=d", "host=h user=me password="),
    "quoted password": ("password='hunter2 \\' x' dbname=d", "password="),
}


@pytest.mark.parametrize(("text", "stays"), SECRETS.values(), ids=SECRETS)
def test_secrets_are_blacked_out(text: str, stays: str) -> None:
    """What kind of secret it was can still be read, and nothing of the secret itself."""
    secret = text.removeprefix(stays)
    line = redact(f"before {text} after {{'token': '{text}'}}")
    assert line.startswith(f"before {stays}***")
    for piece in (ID, "hunter2", "s3cr3t", "Zm9v"):
        assert piece not in line
    assert secret not in line
    assert " after " in line


@given(some.from_regex(r"(access|public|link)-(sandbox|production)-[0-9a-f-]{36}", fullmatch=True))
def test_tokens_are_found_wherever_they_stand(token: str) -> None:
    """JSON, URLs, quotes, other tokens around it: no piece of a token is left."""
    for line in (f'{{"access_token":"{token}"}}', f"?token={token}&x=1", f"({token},{token})"):
        assert token[-36:] not in redact(line)


@given(some.text(some.characters(exclude_characters="-_=:/ ")))
def test_other_text_is_left_alone(text: str) -> None:
    """A line without secrets is logged as it is."""
    assert redact(text) == text


def refuse(token: str) -> None:
    raise ValueError(token)


def fail() -> None:
    """Fail with secrets in the error and in its cause."""
    url = "postgresql://me:hunter2@host/db"
    try:
        refuse(f"access-sandbox-{ID}")
    except ValueError as error:
        raise RuntimeError(url) from error


def test_tracebacks_are_redacted_too() -> None:
    """An exception's own message and its cause pass through the same filter."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter("%(message)s"))
    log = logging.Logger("test")  # noqa: LOG001 - apart from the tree, to leave that alone
    log.addHandler(handler)
    try:
        fail()
    except RuntimeError:
        log.exception("with %s", f"link-sandbox-{ID}", stack_info=True)
    line = stream.getvalue()
    assert "RuntimeError: postgresql://me:***@host/db" in line
    assert "ValueError: access-sandbox-***" in line
    assert ID not in line
