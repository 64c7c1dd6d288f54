"""The document of the locking rule names every race."""

import re
from pathlib import Path

RACES = Path(__file__).parent
DOCUMENT = RACES.parents[3] / "docs" / "locking.md"


def test_every_race_is_documented_and_every_documented_race_is_played() -> None:
    """Keep ``docs/locking.md`` and this folder in step."""
    played = {
        name
        for file in RACES.glob("test_*.py")
        if file != Path(__file__)
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }

    documented = set(re.findall(r"`(test_\w+)`", DOCUMENT.read_text()))

    assert played == documented
