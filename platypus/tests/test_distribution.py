"""What is published: the wheel has all that lies in the source; `make alone` installs it."""

import zipfile
from pathlib import Path

from standalone import PLATYPUS, build


def test_the_wheel_has_every_file_of_the_source(tmp_path: Path) -> None:
    """Templates and styles too, without which the pages are of no use."""
    source = PLATYPUS / "src"
    files = {
        str(each.relative_to(source))
        for each in source.rglob("*")
        if each.is_file() and "__pycache__" not in each.parts
    }
    with zipfile.ZipFile(build(tmp_path)) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == files
    assert "platypus_bank/inspection/templates/world.html" in packed
