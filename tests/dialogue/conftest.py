"""Fixtures that play dialogues; :mod:`support.script` says how they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.play import Play, session_class_of
from support.script import parse_script
from support.stages import STAGES


@pytest.fixture
def play_file() -> Callable[[Path, str], None]:
    """Play a file in one of the ways of ``STAGES``."""

    def play(path: Path, way: str) -> None:
        script = parse_script(path.read_text("utf-8"), name=path.name, protocol=path.parent.name)
        Play(script, STAGES[way](script, session_class_of)).run()

    return play


@pytest.fixture
def play_text() -> Callable[..., None]:
    """Play a script given as text with any session class."""

    def play(text: str, session_class: type, way: str) -> None:
        script = parse_script(text, name="script", protocol="pop3")
        Play(script, STAGES[way](script, lambda _: session_class)).run()

    return play


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "dialogue" in metafunc.fixturenames:
        here = Path(__file__).parent
        paths = sorted(here.glob("*/*.txt"))
        metafunc.parametrize("dialogue", paths, ids=[f"{path.parent.name}-{path.stem}" for path in paths])
    if "way" in metafunc.fixturenames:
        metafunc.parametrize("way", list(STAGES))
