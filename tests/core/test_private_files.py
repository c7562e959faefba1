"""Private files: made once, whole, for their owner only."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bankloom.core import private_files

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    """Whatever the umask allows others, they can't read it."""
    before = os.umask(0)
    try:
        assert private_files.read_or_create(tmp_path / "secret", "fresh") == "fresh"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_an_existing_file_is_read_and_left_alone(tmp_path: Path) -> None:
    """What stands there counts, not what would have been written."""
    path = tmp_path / "secret"
    path.write_text("old")
    assert private_files.read_or_create(path, "fresh") == "old"
    assert path.read_text() == "old"


def test_twins_agree(tmp_path: Path) -> None:
    """Of many creators one wins, all read its text, and no temporary file stays."""
    with ThreadPoolExecutor(16) as pool:
        texts = pool.map(
            lambda number: private_files.read_or_create(tmp_path / "secret", f"{number}" * 1000),
            range(64),
        )
    assert len(set(texts)) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]
