"""A data folder that can't be used is one sentence, whoever comes upon it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from commands import bankloom

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("where", ["file", "file/below"])
@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker"], ["db", "url"]])
def test_a_data_folder_that_cannot_be_is_one_sentence(
    environment: dict[str, str], tmp_path: Path, command: list[str], where: str, *, embedded: bool
) -> None:
    """A file in its place or above it is named with the setting, without a traceback."""
    (tmp_path / "file").touch()
    settings = {**environment, "BANKLOOM_DATA_DIR": str(tmp_path / where)}
    if embedded:
        settings["BANKLOOM_DATABASE_URL"] = ""
    ended = bankloom(settings, *command)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "Not a directory" in ended.stderr
    assert str(tmp_path / where) in ended.stderr
    assert "BANKLOOM_DATA_DIR" in ended.stderr
