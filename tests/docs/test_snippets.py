"""Every Python snippet of the README and the docs runs: those with tests as a pytest run, the others as scripts.

A fence may say more than ```` ```python ````: ``conftest`` makes it the conftest of the snippet after it; the name of a
file (``signup.py``) puts it beside all later snippets of the document; ``fails`` has its test fail, and the report must
have the lines of the ```` ```text ```` after it, in order (``...`` stands for any, ports and times may differ).
"""

import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
VARYING = re.compile(r"127\\\.0\\\.0\\\.1:\d+|\d\d:\d\d:\d\d\\\.\d+|size=\d+|\b[A-P]{4}\d+\b|(?<=[p3]\\-)\d+")
"""Ports, times, sizes, imaplib's tags and the numbers of sessions in a line that re.escape() has seen."""
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


class Snippet(NamedTuple):
    place: str
    language: str
    info: str
    code: str
    files: dict[str, str]
    """What stands beside it, by name."""
    output: str
    """The text after it."""


def snippets() -> list[Snippet]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        files: dict[str, str] = {}
        conftest: dict[str, str] = {}
        matches = list(FENCE.finditer(text))
        for match, after in itertools.zip_longest(matches, matches[1:]):
            line = text.count("\n", 0, match.start()) + 1
            info = match["info"].strip()
            if info == "conftest":
                conftest = {"conftest.py": match["code"]}
                continue
            if info.endswith(".py"):
                files[info] = match["code"]
                continue
            output = after["code"] if after is not None and after["language"] == "text" else ""
            place = f"{document.name}:{line}"
            found.append(Snippet(place, match["language"], info, match["code"], files | conftest, output))
            conftest = {}
    return found


def put_beside(snippet: Snippet, folder: Path) -> None:
    for name, code in snippet.files.items():
        (folder / name).write_text(code, encoding="utf-8")


SNIPPETS = snippets()
PYTHON = [one for one in SNIPPETS if one.language == "python"]
TESTS = [one for one in PYTHON if "def test_" in one.code and one.info != "fails"]
FAILING = [one for one in PYTHON if one.info == "fails"]
SCRIPTS = [one for one in PYTHON if "def test_" not in one.code]
COMMANDS = [one for one in SNIPPETS if one.language == "sh"]
INI = [one for one in SNIPPETS if one.language in ("ini", "toml")]


class Outcome(NamedTuple):
    result: str
    """``"passed"``, or what the report has: ``"failure"``, ``"error"``, ``"skipped"``."""
    report: str


def run(snippets: list[Snippet], folder: Path) -> dict[str, list[Outcome]]:
    """What came of the tests of each snippet, by its place, in one run of pytest."""
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n", encoding="utf-8"
    )
    names = {re.sub(r"\W", "_", snippet.place): snippet.place for snippet in snippets}
    for name, snippet in zip(names, snippets, strict=True):
        (folder / name).mkdir()
        put_beside(snippet, folder / name)
        (folder / name / f"test_{name}.py").write_text(snippet.code, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    # A snippet whose framework is not there shall not take the others along.
    options = ["--strict-markers", "--continue-on-collection-errors", "--junit-xml", "report.xml"]
    command = [sys.executable, "-m", "pytest", "-W", "error", *options]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    outcomes: dict[str, list[Outcome]] = {place: [] for place in names.values()}
    assert (folder / "report.xml").exists(), ran.stdout + ran.stderr
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        bad = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        outcome = Outcome("passed", "") if bad is None else Outcome(bad.tag, bad.text or "")
        outcomes[names[re.split(r"[./]", case.get("classname", "") or case.get("name", ""))[0]]].append(outcome)
    return outcomes


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Outcome]]:
    """Those of all snippets: a run for each document, and one for each snippet that has a conftest of its own."""
    batches: dict[str, list[Snippet]] = {}
    for snippet in [*TESTS, *FAILING]:
        document = snippet.place.partition(":")[0]
        batches.setdefault(snippet.place if "conftest.py" in snippet.files else document, []).append(snippet)
    found: dict[str, list[Outcome]] = {}
    for batch in batches.values():
        found |= run(batch, tmp_path_factory.mktemp("snippets"))
    return found


@pytest.mark.parametrize("snippet", TESTS, ids=lambda snippet: snippet.place)
def test_a_snippet_with_tests_passes(snippet: Snippet, outcomes: dict[str, list[Outcome]]) -> None:
    assert outcomes[snippet.place]
    assert [one for one in outcomes[snippet.place] if one.result != "passed"] == []


@pytest.mark.parametrize("snippet", FAILING, ids=lambda snippet: snippet.place)
def test_a_failure_reads_as_it_is_shown(snippet: Snippet, outcomes: dict[str, list[Outcome]]) -> None:
    (outcome,) = outcomes[snippet.place]
    assert outcome.result == "failure"
    assert snippet.output
    left = iter([line.removeprefix("E").strip() for line in outcome.report.splitlines()])
    for line in filter(str.strip, snippet.output.splitlines()):
        if line.strip() != "...":
            wanted = VARYING.sub(lambda match: "\\S+", re.escape(line.strip()))
            # Python 3.13 has smtplib write "mail from:" where 3.12 wrote "mail FROM:".
            assert any(re.match(wanted, printed, re.IGNORECASE) for printed in left), (
                f"the report has no (further) line {line!r}:\n{outcome.report}"
            )


@pytest.mark.parametrize("snippet", SCRIPTS, ids=lambda snippet: snippet.place)
def test_a_script_runs(snippet: Snippet, tmp_path: Path) -> None:
    put_beside(snippet, tmp_path)
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
