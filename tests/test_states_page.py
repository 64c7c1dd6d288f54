"""The page of states follows the tables of the engine."""

from __future__ import annotations

from pathlib import Path

from sayiir_core.engine.condition import Condition
from sayiir_core.engine.diagram import states_page
from sayiir_core.engine.transition import OUTCOMES, RESTS
from sayiir_core.snapshot.head import CursorState

PAGE = Path(__file__).parent.parent / "docs" / "states.md"
REMEDY = """write it anew: python -c "from pathlib import Path; \
from sayiir_core.engine.diagram import states_page; Path('docs/states.md').write_text(states_page())\""""


def test_the_page_of_states_is_up_to_date() -> None:
    """Whoever changes the tables writes the page anew, with the command that this shows."""
    assert states_page() == PAGE.read_text(), REMEDY


def test_the_page_names_every_state_effect_and_outcome() -> None:
    """Nothing that the tables allow is left out."""
    page = states_page()

    effects = {effect.__name__ for effect in RESTS}
    outcomes = {outcome.__name__ for allowed in OUTCOMES.values() for outcome in allowed}
    words = {*effects, *outcomes, *(s.value for s in CursorState), *(c.value for c in Condition)}
    assert set() == {word for word in words if word not in page}
