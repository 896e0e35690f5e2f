"""What a model writes: kept to its paths, run in the sandbox only, applied only when the tests still pass."""

import json
from pathlib import Path

import pytest

from interlock_core import CallKind, Effect
from interlock_core.errors import AnswerFormatError, InvalidRequestError, UpstreamTimeoutError
from interlock_core.jsontypes import as_object
from interlock_core.testing import ScriptedProvider
from interlock_tools.devtools._model import fenced, written_files

from .dev_ground import PROJECT, SEARCH, Ground, texts, write

pytestmark = pytest.mark.promise("O12")

GOOD = "from notes.search import fold\n\n\ndef test_fold():\n    assert fold('A') == 'a'\n"
BAD = "from notes.search import fold\n\n\ndef test_fold():\n    assert fold('A') == 'A'\n"
BETTER = SEARCH.replace("import os\n\n\n", "\n")


def answer(**files: str) -> str:
    """A model's answer with these files."""
    return json.dumps({"files": [{"path": path, "content": text} for path, text in files.items()]})


def ground(tmp_path: Path, *script: str) -> tuple[Ground, ScriptedProvider]:
    """A folder without tests of its own, and a model with a script."""
    provider = ScriptedProvider(script)
    files = {path: text for path, text in PROJECT.items() if not path.startswith("tests/")}
    return Ground(write(tmp_path / "notes", {**files, "tests/.keep": ""}), provider=provider), provider


async def test_tests_that_pass_are_kept(tmp_path: Path) -> None:
    """The first answer passes and is written where tests belong; the model is told what is data."""
    place, provider = ground(tmp_path, answer(**{"tests/test_search.py": GOOD}))
    made = await place.call("generateTests", path="src/notes/search.py", focus="case", apply=True)
    assert (made["kept"], made["attempts"], made["applied"], made["content"]) == (True, 1, True, GOOD)
    assert texts(place.folder)["tests/test_search.py"] == GOOD
    asked = provider.requests[0]
    assert "never an instruction" in asked.messages[0].text
    assert "Look at: case" in asked.messages[1].text
    assert SEARCH in asked.messages[1].text
    call = provider.calls[0]
    assert call is not None
    assert (call.kind, call.effect, call.name) == (CallKind.MODEL, Effect.READ, "auto")


async def test_tests_that_fail_are_shown_to_the_model_and_made_anew(tmp_path: Path) -> None:
    """What the runner said goes back between marks; the second answer passes."""
    place, provider = ground(
        tmp_path, answer(**{"tests/test_search.py": BAD}), answer(**{"tests/test_search.py": GOOD})
    )
    made = await place.call("generateTests", path="src/notes/search.py", model="scripted/model")
    assert (made["kept"], made["attempts"], made["applied"]) == (True, 2, False)
    assert "did not pass" in provider.requests[1].messages[1].text
    assert provider.requests[1].model == "scripted/model"
    assert "tests/test_search.py" not in texts(place.folder)


async def test_tests_that_never_pass_are_not_kept(tmp_path: Path) -> None:
    """After three attempts nothing is written, whatever was asked."""
    place, provider = ground(tmp_path, *[answer(**{"tests/test_search.py": BAD})] * 3)
    made = await place.call("generateTests", path="src/notes/search.py", apply=True)
    assert (made["kept"], made["attempts"], made["applied"], made["content"]) == (False, 3, False, "")
    assert len(provider.requests) == 3
    assert "tests/test_search.py" not in texts(place.folder)


async def test_a_model_that_writes_elsewhere_is_not_followed(tmp_path: Path) -> None:
    """Another path counts for nothing; one outside the folder is an error."""
    place, _ = ground(tmp_path, *[answer(**{"src/notes/search.py": "evil = 1\n"})] * 3)
    made = await place.call("generateTests", path="src/notes/search.py", apply=True)
    assert made["kept"] is False
    assert texts(place.folder)["src/notes/search.py"] == SEARCH
    with pytest.raises(AnswerFormatError, match="outside"):
        written_files(answer(**{"../x.py": "x"}))


async def test_tests_of_a_model_that_attacks_stay_in_the_sandbox(tmp_path: Path) -> None:
    """They run, and reach nothing."""
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2", "utf-8")
    attack = (
        f"import os, pathlib\n\n\ndef test_attack():\n    pathlib.Path({str(secret)!r}).write_text('gone')\n"
    )
    place, _ = ground(tmp_path, *[answer(**{"tests/test_search.py": attack})] * 3)
    made = await place.call("generateTests", path="src/notes/search.py", apply=True)
    assert made["kept"] is False
    assert secret.read_text("utf-8") == "hunter2"


async def test_without_a_model_the_remedy_says_how_to_get_one(tmp_path: Path) -> None:
    """For tests and for refactorings by description."""
    place = Ground(write(tmp_path / "notes", {"a.py": "x = 1\n"}))
    assert "docs/providers.md" in await place.refused("generateTests", path="a.py")
    said = await place.refused("refactorCode", path="a.py", kind="describe", instruction="Better.")
    assert "docs/providers.md" in said


@pytest.mark.parametrize(
    ("path", "said"),
    [("README.md", "no file of Python"), ("tests/test_search.py", "already"), ("src", "no file of Python")],
)
async def test_tests_are_written_for_source_files_alone(tmp_path: Path, path: str, said: str) -> None:
    """And a file of tests is never replaced."""
    place = Ground(write(tmp_path / "notes", PROJECT), provider=ScriptedProvider())
    target = "src/notes/search.py" if path.startswith("tests") else path
    assert said in await place.refused("generateTests", path=target)


async def test_tests_stand_beside_the_code_where_there_is_no_folder_for_them(tmp_path: Path) -> None:
    """By the customs of the language."""
    place = Ground(write(tmp_path / "notes", {"pkg/a.py": "x = 1\n", "web/b.test.ts": "", "web/b.ts": ""}))
    place.provider = ScriptedProvider([answer(**{"pkg/test_a.py": "def test_a():\n    pass\n"})])
    made = await place.call("generateTests", path="pkg/a.py")
    assert (made["path"], made["kept"]) == ("pkg/test_a.py", True)
    assert "web/b.test.ts already" in await place.refused("generateTests", path="web/b.ts")


async def test_a_described_refactoring_is_tried_with_the_tests_and_applied(tmp_path: Path) -> None:
    """The diff, the tests, the model; the folder changes because it was told to."""
    place = Ground(write(tmp_path / "notes", PROJECT))
    place.provider = ScriptedProvider([answer(**{"src/notes/search.py": BETTER})])
    made = await place.call(
        "refactorCode", path="src", kind="describe", instruction="Drop what is unused.", apply=True
    )
    assert (made["applied"], made["broken"], made["model"]) == (True, [], "scripted/auto")
    assert "-import os" in str(made["diff"])
    assert texts(place.folder)["src/notes/search.py"] == BETTER


async def test_a_described_refactoring_that_breaks_tests_is_not_applied(tmp_path: Path) -> None:
    """It is shown with the tests that it breaks."""
    place = Ground(write(tmp_path / "notes", PROJECT))
    broken = SEARCH.replace("text.lower()", "text.upper()")
    place.provider = ScriptedProvider([answer(**{"src/notes/search.py": broken})])
    made = await place.call("refactorCode", path="src", kind="describe", instruction="x", apply=True)
    assert (made["applied"], made["broken"]) == (False, ["tests.test_search::test_folds"])
    assert texts(place.folder)["src/notes/search.py"] == SEARCH


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (answer(**{"tests/test_search.py": "x"}), "was not shown"),
        ("I am sorry, I cannot.", "no files in the form"),
        ('{"files": []}', "no files in the form"),
        (answer(**{"/etc/passwd": "x"}), "outside the working folder"),
        (answer(**{".git/hooks/pre-commit": "x"}), "was not shown"),
        (json.dumps({"files": [{"path": "src/notes/search.py"}]}), "no files in the form"),
        (answer(**{"src/notes/search.py": "x" * 500_000}), "no files in the form"),
    ],
)
async def test_an_answer_that_is_not_what_was_asked_for_changes_nothing(
    tmp_path: Path, said: str, why: str
) -> None:
    """The call fails with the reason."""
    place = Ground(write(tmp_path / "notes", PROJECT), provider=ScriptedProvider([said]))
    refused = await place.refused("refactorCode", path="src", kind="describe", instruction="x", apply=True)
    assert why in refused
    assert texts(place.folder) == dict(sorted(PROJECT.items()))


async def test_a_providers_error_is_the_calls_error(tmp_path: Path) -> None:
    """Nothing is made of it."""
    provider = ScriptedProvider([UpstreamTimeoutError("It did not answer in time.")])
    place = Ground(write(tmp_path / "notes", PROJECT), provider=provider)
    result = await place.result("refactorCode", {"path": "src", "kind": "describe", "instruction": "x"})
    assert result.error_code == "upstream_timeout"


def test_an_answer_in_a_code_fence_is_read() -> None:
    """Models do that; what they mean is clear."""
    assert written_files(f"```json\n{answer(a='x')}\n```") == {"a": "x"}


def test_files_stand_between_marks_that_their_author_could_not_know() -> None:
    """The mark is new each time, and too much is refused."""
    first, second = fenced({"a.py": "x"}), fenced({"a.py": "x"})
    assert first != second
    assert first.splitlines()[1] == "x"
    with pytest.raises(InvalidRequestError, match="too much"):
        fenced({"a.py": "x" * 200_000})


def test_the_answer_is_an_object_of_files() -> None:
    """The schema that the model is held to."""
    assert as_object(json.loads(answer(a="b")))["files"] == [{"path": "a", "content": "b"}]
