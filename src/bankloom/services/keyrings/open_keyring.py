"""Opens the keyring, and refuses one that does not open what is sealed, or seals what nobody opens."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bankloom.core.errors import ConfigurationError
from bankloom.core.keyring import Keyring, Mark, SealBrokenError
from bankloom.core.keyring_file import KeyringFile
from bankloom.models import SEALED, Process, SealedValue, SealingKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from bankloom.core.settings import Settings

log = logging.getLogger(__name__)

VARIABLE = "BANKLOOM_ENCRYPTION_KEYS"


class Sample(NamedTuple):
    """A sealed value to try the keys on, and the column that it is of."""

    place: str
    value: SealedValue


def open_keyring(settings: Settings, session: Session) -> Keyring:
    """Return the keyring of the settings, or the file in the data folder, made at the first start.

    Errors: `ConfigurationError` where it does not open what the database holds, for fresh keys over
    old tokens would lose every bank; and where it would seal under a key that is not to seal.
    """
    keyring = keyring_for(settings, samples(session))
    refuse_to_seal(session, keyring.marks)
    return keyring


def keyring_for(settings: Settings, samples: Sequence[Sample]) -> Keyring:
    """Return the keyring of the settings, which opens these values and finds them by their hashes.

    Errors: `ConfigurationError`.
    """
    keyring = read(settings, may_create=not samples)
    for place, value in samples:
        try:
            secret = keyring.open(value.sealed, value.bound_to)
        except SealBrokenError as error:
            raise ConfigurationError(f"{_KEYS_DO_NOT_FIT} ({place}: {error.message})") from error
        if value.hash not in {None, keyring.hash(secret)}:
            raise ConfigurationError(f"{_KEYS_DO_NOT_FIT} (Its key 'index' is another one.)")
    return keyring


def file_of(settings: Settings) -> KeyringFile | None:
    """Return the keyring's file; None where the settings hold the keys themselves."""
    return None if settings.encryption_keys else KeyringFile.of(settings.data_dir)


def read(settings: Settings, *, may_create: bool = False) -> Keyring:
    """Read the keyring, and look at no database. Errors: `ConfigurationError`."""
    if settings.encryption_keys:
        return Keyring.parse(settings.encryption_keys.get_secret_value())
    file = KeyringFile.of(settings.data_dir)
    state = file.state()
    if state is None and not may_create:
        raise ConfigurationError(f"{_KEYS_DO_NOT_FIT} (There is no {file.path}.)")
    keyring = file.read_or_create()
    keyring.reread = _Reread(file, keyring, state)
    return keyring


def refuse_to_seal(session: Session, marks: Sequence[Mark]) -> None:
    """Refuse a keyring whose first key is not to seal, or that lacks the one that does.

    Errors: `ConfigurationError`.
    """
    sealing = marks[0]
    current = SealingKey.current(session)
    if current is not None and current not in marks:
        raise ConfigurationError(
            f"The keyring lacks the key '{current.name}', under which everything is sealed since "
            f"the last rotation. Give this process the keyring that the others have, from {VARIABLE} "
            "or the keyring file. Nothing was changed."
        )
    if current is not None and sealing in SealingKey.superseded(session):
        raise ConfigurationError(
            f"The keyring would seal under '{sealing.name}', from which a rotation has led to "
            f"'{current.name}'. Put the entry '{current.name}' first. Nothing was changed."
        )
    lacking = [each for each in Process.living(session) if str(sealing) not in each.keys]
    if lacking:
        raise ConfigurationError(
            f"The keyring would seal under '{sealing.name}', which not every running process can "
            f"open: {named(lacking)} lacks it. Put it behind the other keys first, on every "
            "process, and before them once all have it. Nothing was changed. (A process that was "
            "killed is believed dead after half a minute.)"
        )


def named(processes: Sequence[Process]) -> str:
    """Name some processes in a sentence."""
    return ", ".join(str(each) for each in processes)


def samples(session: Session) -> list[Sample]:
    """Return one value of each key of each column."""
    found = (
        (column, column.first_under(session, name))
        for column in SEALED
        for name in column.key_names(session)
    )
    return [Sample(str(column), value) for column, value in found if value]


_KEYS_DO_NOT_FIT = (
    "The keyring does not open what is sealed in this database. Give back the keys that it was "
    f"sealed with, as {VARIABLE} or as the file 'keyring' of BANKLOOM_DATA_DIR, from a backup. "
    "Nothing was changed."
)


@dataclass
class _Reread:
    """Takes the data keys of a file that has changed since it was read."""

    file: KeyringFile
    keyring: Keyring = field(repr=False)
    state: object

    def __call__(self) -> None:
        state = self.file.state()
        if state in {None, self.state}:  # a file that is gone is missed at the next start
            return
        self.state = state
        try:
            self.keyring.take_keys_of(self.file.read())
        except ConfigurationError as error:
            log.error("The keyring file was not read again: %s", error.message)  # noqa: TRY400 - told whole
            return
        log.info("The keyring file was read again; '%s' seals", self.keyring.marks[0].name)
