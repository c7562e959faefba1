"""Logs: nothing that opens a door is ever written."""

from __future__ import annotations

import contextvars
import io
import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bankloom.core.logs import JsonFormatter, TextFormatter, bound, redact

ID = "8ab976e6-64bc-4b38-98f7-731e7a349970"
SECRETS = {
    "access token": (f"access-sandbox-{ID}", "access-sandbox-"),
    "access token of Production": (f"access-production-{ID}", "access-production-"),
    "public token": (f"public-sandbox-{ID}", "public-sandbox-"),
    "link token": (f"link-sandbox-{ID}", "link-sandbox-"),
    "processor token": (f"processor-sandbox-{ID}", "processor-sandbox-"),
    "user token": (f"user-production-{ID}", "user-production-"),
    "report token": (f"asset-report-production-{ID}", "asset-report-production-"),
    "service key": ("bl_0123abcd_Zm9v-YmFy_" + "x" * 21, "bl_0123abcd_"),
    "bearer key": ("Authorization: Bearer s3cr3t+key/==", "Authorization: Bearer "),
    "lower case bearer": ("authorization: bearer s3cr3t+key/==", "authorization: bearer "),
    "database URL": ("postgresql://me:hunter2@host/db", "postgresql://me:"),
    "driver URL": ("postgresql+psycopg://me:hunter2@host/db", "postgresql+psycopg://me:"),
    "short URL": ("postgres://me:hunter2@host/db", "postgres://me:"),
    "connection string": ("host=h user=me password=hunter2 dbname=d", "host=h user=me password="),
    "quoted password": ("password='hunter2 \\' x' dbname=d", "password="),
    "password with an @": ("postgresql://me:hunter2@s3cr3t@host/db", "postgresql://me:"),
    "JSON password": ('"password": "hunter2 \\" x", "b": 1', '"password": '),
    "variable": ("PLAID_SECRET=hunter2hunter2 x", "PLAID_SECRET="),
    "header": ("PLAID-SECRET: hunter2hunter2 x", "PLAID-SECRET: "),
    "signed JWT": ("eyJhbGciOiJub25lIn0.s3cr3t.hunter2 x", "eyJ"),
    "key of the keyring": ("main:" + "s3cr3t+/" * 5 + "abc= x", "main:"),
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


class Stream:
    """A logger apart from the tree, and the lines that it wrote."""

    def __init__(self, formatter: TextFormatter) -> None:
        self.formatter = formatter
        self._written = io.StringIO()
        handler = logging.StreamHandler(self._written)
        handler.setFormatter(formatter)
        self.log = logging.Logger("bank.test")  # noqa: LOG001 - apart, to leave the tree alone
        self.log.addHandler(handler)

    @property
    def text(self) -> str:
        """All that was written."""
        return self._written.getvalue()

    @property
    def line(self) -> str:
        """What was written, which is one line."""
        assert self.text.count("\n") == 1
        return self.text.rstrip("\n")

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the one line that was written, as JSON."""
        fields: dict[str, Any] = json.loads(self.line)
        return fields


@pytest.fixture(params=[TextFormatter, JsonFormatter])
def stream(request: pytest.FixtureRequest) -> Stream:
    return Stream(request.param(["s3cr3t-of-the-settings", "any"]))


@pytest.fixture
def as_text() -> Stream:
    return Stream(TextFormatter())


@pytest.fixture
def as_json() -> Stream:
    return Stream(JsonFormatter())


def test_tracebacks_are_redacted_too(stream: Stream) -> None:
    """An exception's own message, its cause and the stack pass through the same filter."""
    try:
        fail()
    except RuntimeError:
        stream.log.exception("with %s", f"link-sandbox-{ID}", stack_info=True)
    assert "with link-sandbox-***" in stream.text
    assert "RuntimeError: postgresql://me:***@host/db" in stream.text
    assert "ValueError: access-sandbox-***" in stream.text
    assert "Stack (most recent call last)" in stream.text
    assert ID not in stream.text


def test_secrets_of_the_settings_are_redacted(stream: Stream) -> None:
    """A secret that looks like nothing is known by its value; one as short as a word is a word."""
    stream.log.info("in any case, %s", {"key": "xs3cr3t-of-the-settingsx"})
    assert "in any case" in stream.text
    assert "s3cr3t" not in stream.text


def test_a_secret_can_be_added(stream: Stream) -> None:
    """One that came later is blacked out as well, and so is the one before it."""
    stream.formatter.hide(["another-s3cr3t", "any"])
    stream.log.info("in any case, another-s3cr3t and s3cr3t-of-the-settings")
    assert "in any case, *** and ***" in stream.text


def test_extra_fields_and_ids_betray_nothing(stream: Stream) -> None:
    """Whatever a record carries beside its message, no secret of it is written."""
    token = f"access-sandbox-{ID}"
    with bound(item_id=token, run_id=token, request_id=token):
        stream.log.info("a call", extra={"token": token, "body": {"access_token": token}})
    assert "a call" in stream.text
    assert ID not in stream.text


def test_a_line_says_whose_it_is(as_text: Stream) -> None:
    """The ids of the run, the Item and the request stand before the message, outside too."""
    with bound(run_id="r-1", item_id="i-1"), bound(request_id="q 1"):
        as_text.log.warning("hello")
    assert as_text.line.endswith("Z WARNING bank.test run=r-1 item=i-1 request=q_1 : hello")
    as_text.log.info("bye")
    assert as_text.text.endswith("Z INFO    bank.test run=- item=- request=- : bye\n")


def test_a_json_line_says_whose_it_is(as_json: Stream) -> None:
    """Every field is there, null where nothing is known."""
    with bound(run_id="r-1", item_id="i-1"):
        as_json.log.info("hello")
    at = as_json.fields.pop("at")
    assert at.endswith("Z")
    assert as_json.fields == {
        "at": at,
        "level": "info",
        "logger": "bank.test",
        "run_id": "r-1",
        "item_id": "i-1",
        "request_id": None,
        "message": "hello",
        "exception": None,
    }


FORGED = "2026-01-01T00:00:00.000Z INFO    bankloom.app run=- item=- request=- : all is well"


@pytest.mark.parametrize("break_", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("in_exception", [False, True])
def test_no_record_can_be_forged(stream: Stream, break_: str, *, in_exception: bool) -> None:
    """Text from outside that breaks the line starts no record, whatever counts as a line break."""
    text = f"Shop{break_}{FORGED}"
    if in_exception:
        stream.log.info("refused", exc_info=ValueError(text))
    else:
        stream.log.info("refused: %s", text)
    first, *others = stream.text.splitlines()
    assert "refused" in first
    assert all(line.startswith("    ") for line in others)
    assert "all is well" in stream.text


def test_a_long_message_stays_readable(as_text: Stream) -> None:
    """Lines are indented, umlauts and tabs stay, and a terminal is not told what to do."""
    as_text.log.info("one\ttwo\nMüller \x1b[31mred\u202e")
    assert as_text.text.endswith(": one\ttwo\n    Müller \\x1b[31mred\\u202e\n")


def test_any_text_is_one_json_line(as_json: Stream) -> None:
    """Whatever characters a message has, half a surrogate pair included, come back from JSON."""
    message = '\n\u2028 "\\ \ud800 ü'
    as_json.log.info("%s", message)
    assert as_json.line.isascii()
    assert as_json.fields["message"] == message


def test_threads_of_a_run_speak_for_it(as_json: Stream) -> None:
    """Work that is given to another thread in a copy of the context logs the run's ids."""
    with bound(run_id="r-1"), ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, as_json.log.info, "from a thread").result()
    assert as_json.fields["run_id"] == "r-1"


UNEXPECTED = """
import logging, threading
from bankloom.core import logs
logs.configure("info", "json", ["s3cr3t-of-the-settings"])
logging.getLogger("x").info("%d", "s3cr3t-of-the-settings")
thread = threading.Thread(target=int, args=["s3cr3t-of-the-settings"], name="a thread")
thread.start()
thread.join()
int("access-sandbox-8ab976e6")
"""


def test_nothing_reaches_stderr_but_through_the_formatter() -> None:
    """A thread or a program that dies, and a message that can't be put together, betray nothing."""
    ended = subprocess.run(
        [sys.executable, "-c", UNEXPECTED], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["critical", "critical"]
    assert all("ValueError: invalid literal" in line["exception"] for line in lines)
    assert "s3cr3t" not in ended.stderr
    assert "8ab976e6" not in ended.stderr
