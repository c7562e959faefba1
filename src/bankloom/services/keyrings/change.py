"""Adds a key to the keyring's file, and retires one that nothing is sealed under any more."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from bankloom.core.errors import ConfigurationError
from bankloom.models import SEALED, Process, SealingKey
from bankloom.services.keyrings.open_keyring import VARIABLE, file_of, named
from bankloom.services.keyrings.rotate import TAKE_UP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from bankloom.core.keyring import Mark
    from bankloom.core.keyring_file import KeyringFile
    from bankloom.services.runtime import Runtime

QUIET = timedelta(minutes=2)
"""How long ago the last process must have begun to seal under another key before the former may go:
what it had sealed before that is committed by then, or its connection was ended (`core/db.py`)."""

_POLL_SECONDS = 0.1


def add(runtime: Runtime, name: str) -> Sequence[Process]:
    """Add a fresh key that opens and does not seal yet; return the processes that did not take it up.

    Errors: `ConfigurationError` where the keyring is no file, or a key of that name has ever sealed.
    """
    file = _file(runtime, f"Add what `bankloom keys generate {name}` prints behind its other keys")
    with runtime.database.session() as session:
        SealingKey.lock(session)
        if SealingKey.is_known(session, name) or _is_used(session, name):
            raise ConfigurationError(
                f"A key '{name}' has sealed here before, and a new one of that name would be taken "
                "for it. Choose another name; nothing was changed."
            )
        file.add(name)
    if runtime.keyring.reread is not None:
        runtime.keyring.reread()
    mark = next(each for each in runtime.keyring.marks if each.name == name)
    return _lacking_after_a_while(runtime, mark)


def _lacking_after_a_while(runtime: Runtime, mark: Mark) -> Sequence[Process]:
    deadline = time.monotonic() + TAKE_UP_SECONDS
    while True:
        with runtime.database.session() as session:
            lacking = [each for each in Process.living(session) if str(mark) not in each.keys]
        if not lacking or time.monotonic() > deadline:
            return lacking
        time.sleep(_POLL_SECONDS)


def retire(runtime: Runtime, name: str) -> None:
    """Take a key out of the keyring's file.

    Errors: `ConfigurationError` where a row needs it, or may come to.
    """
    file = _file(
        runtime, f"Once `bankloom keys check` says that '{name}' is unused, take it out there"
    )
    with runtime.database.session() as session:
        SealingKey.lock(session)
        marks = runtime.keyring.marks
        if marks[0].name == name:
            raise ConfigurationError(
                f"The key '{name}' is the one that seals. Nothing was changed."
            )
        _require_unused(session, name)
        file.remove(name)


def _require_unused(session: Session, name: str) -> None:
    if places := [str(each) for each in SEALED if name in each.key_names(session)]:
        raise ConfigurationError(
            f"Something is still sealed under '{name}', in {', '.join(places)}. Run `bankloom keys "
            "rotate` first. Nothing was changed."
        )
    if sealing := [each for each in Process.living(session) if each.sealing.startswith(f"{name}:")]:
        raise ConfigurationError(
            f"{named(sealing)} still seals under '{name}'. Run `bankloom keys rotate` first. Nothing "
            "was changed."
        )
    if late := Process.changed_lately(session, QUIET):
        raise ConfigurationError(
            f"{named(late)} began to seal under another key less than {QUIET.seconds // 60} minutes "
            "ago, and may still be writing what it had sealed before. Repeat this a little later. "
            "Nothing was changed."
        )


def _is_used(session: Session, name: str) -> bool:
    return any(name in each.key_names(session) for each in SEALED)


def _file(runtime: Runtime, instead: str) -> KeyringFile:
    """Return the keyring's file. Errors: `ConfigurationError`, saying what to do instead."""
    file = file_of(runtime.settings)
    if file is None:
        raise ConfigurationError(
            f"The keyring comes from {VARIABLE}, which only you can change. {instead}, for every "
            "process, and restart them. Nothing was changed."
        )
    return file
