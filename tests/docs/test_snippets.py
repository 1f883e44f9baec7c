"""Every Python snippet of the README and the docs runs: those with tests as a pytest run, the others as scripts.

A snippet whose fence is ```` ```python conftest ```` is the conftest of the snippet after it.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


class Snippet(NamedTuple):
    place: str
    language: str
    code: str
    conftest: str


def snippets() -> list[Snippet]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        conftest = ""
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if match["info"].strip() == "conftest":
                conftest = match["code"]
                continue
            found.append(Snippet(f"{document.name}:{line}", match["language"], match["code"], conftest))
            conftest = ""
    return found


SNIPPETS = snippets()
TESTS = [one for one in SNIPPETS if one.language == "python" and "def test_" in one.code]
SCRIPTS = [one for one in SNIPPETS if one.language == "python" and "def test_" not in one.code]
COMMANDS = [one for one in SNIPPETS if one.language == "sh"]
INI = [one for one in SNIPPETS if one.language in ("ini", "toml")]


@pytest.mark.parametrize("snippet", TESTS, ids=lambda snippet: snippet.place)
def test_a_snippet_with_tests_passes(
    snippet: Snippet, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    if snippet.conftest:
        pytester.makeconftest(snippet.conftest)
    pytester.makepyfile(test_snippet=snippet.code)
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    result = pytester.runpytest_subprocess("-W", "error", "--strict-markers")
    assert result.ret == 0
    assert result.parseoutcomes().keys() == {"passed"}


@pytest.mark.parametrize("snippet", SCRIPTS, ids=lambda snippet: snippet.place)
def test_a_script_runs(snippet: Snippet, tmp_path: Path) -> None:
    script = tmp_path / "snippet.py"
    script.write_text(snippet.code, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("snippet", COMMANDS, ids=lambda snippet: snippet.place)
def test_commands_have_the_flags_they_show(snippet: Snippet) -> None:
    known = subprocess.run(
        [sys.executable, "-m", "mockmail", "serve", "--help"], capture_output=True, text=True, check=True
    )
    for line in snippet.code.splitlines():
        words = shlex.split(line, comments=True)
        if words[:2] == ["mockmail", "serve"]:
            ours = words[2 : words.index("--exec") + 1] if "--exec" in words else words[2:]
            for flag in (word.partition("=")[0] for word in ours if word.startswith("--")):
                assert re.search(rf"^\s*{flag}\b", known.stdout, re.MULTILINE), f"{flag} in {line!r}"


@pytest.mark.parametrize("snippet", INI, ids=lambda snippet: snippet.place)
def test_options_in_configuration_files_exist(snippet: Snippet, pytester: pytest.Pytester) -> None:
    name = "pyproject.toml" if snippet.language == "toml" else "pytest.ini"
    pytester.path.joinpath(name).write_text(snippet.code, encoding="utf-8")
    pytester.makepyfile("def test_it(mockmail): pass")
    result = pytester.runpytest_subprocess("--strict-config", "-p", "no:asyncio")
    result.assert_outcomes(passed=1)


def test_there_are_snippets() -> None:
    assert TESTS
    assert {one.place.partition(":")[0] for one in SNIPPETS} >= {"README.md"}


def test_links_between_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_ci_script_runs_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = next(line for line in readme.splitlines() if line.endswith(".venv/bin/pytest"))
    assert command in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
