"""The families of gateway vulnerabilities, run: each case against the product itself.

`families/README.md` says what a case holds. By default some cases of each family are run, spread evenly over
it, and all of them with INTERLOCK_FULL=1; `python tests/bench/attacks.py` runs all and prints what passed.
"""

import ast
import os
from pathlib import Path

import pytest

from .harness.cases import Case, family
from .harness.families import NUMBERS, carried_out
from .harness.seen import Seen, problems
from .test_body_families import FAMILIES as BODIES
from .test_budget_families import FAMILIES as BUDGETS
from .test_cache_families import FAMILIES as CACHES
from .test_canary_families import FAMILIES as CANARIES
from .test_definition_families import FAMILIES as DEFINITIONS
from .test_error_families import FAMILIES as ERRORS
from .test_http_families import FAMILIES as SENT
from .test_refusal_family import FAMILIES as REFUSED
from .test_revoked_family import FAMILIES as REVOKED
from .test_supply_family import FAMILIES as SUPPLIED
from .test_surface_families import FAMILIES as SURFACES

ELSEWHERE = (
    *BODIES,
    *BUDGETS,
    *CACHES,
    *CANARIES,
    *DEFINITIONS,
    *ERRORS,
    *SENT,
    *REFUSED,
    *REVOKED,
    *SUPPLIED,
    *SURFACES,
)
"""Families that have a file of their own beside this one."""
ADDRESSES = (1, 18, 19, 20, 21, 42)
TAINTED = 27
NOT_YET = frozenset[int]()
"""Families that no test takes from their file yet, whatever other tests prove of their rules."""

FULL = os.environ.get("INTERLOCK_FULL") == "1"
MOST = 6
ROOT = Path(__file__).parents[2]
EVALUATING = {"eval", "exec", "compile", "__import__"}
LOADING = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}


def sample(number: int) -> list[Case]:
    """The cases of a family that are run here."""
    cases = family(number).cases
    return [*cases] if FULL else [*cases[:: -(-len(cases) // MOST)]]


async def passed(number: int, folder: Path) -> list[object]:
    """The cases of a family that did not hold, with what was seen."""
    results = await carried_out(number, folder, sample(number))
    return [(one.case.id, one.case.given, one.wrong, one.seen) for one in results if one.wrong]


@pytest.mark.promise("A10")
@pytest.mark.parametrize("number", ADDRESSES)
async def test_no_address_of_a_stranger_s_choice_is_dialled(number: int, tmp_path: Path) -> None:
    """Parameters, redirects, spellings, embedded addresses and names that change their mind."""
    assert await passed(number, tmp_path) == []


@pytest.mark.promise("A6")
async def test_a_run_that_read_what_a_stranger_wrote_sends_nothing_outside(tmp_path: Path) -> None:
    """Not without a person's yes, whatever carried the stranger's words."""
    assert await passed(TAINTED, tmp_path) == []


@pytest.mark.parametrize("number", sorted({*NUMBERS} - {*ADDRESSES, TAINTED}))
async def test_no_attack_of_a_family_succeeds(number: int, tmp_path: Path) -> None:
    """Every word of every case is measured, and holds."""
    assert await passed(number, tmp_path) == []


def test_every_family_is_run_or_said_not_to_be() -> None:
    """What nobody runs yet is listed, and the list only shrinks."""
    assert {*NUMBERS, *ELSEWHERE, *NOT_YET} == set(range(1, 43))
    assert len(NOT_YET) == 0


def test_a_word_that_nobody_measures_fails_its_case() -> None:
    """And so does one that does not hold; of alternatives one is enough."""
    words = ("status in [400, 403]", "executed == 0", "needs-approval or refused", "p99_of_others < 1")
    case = Case("F00-01", "http", "", {}, words)
    seen = Seen(refused=True, figures={"status": 403, "executed": 1})
    assert problems(case, seen) == ["executed == 0", "p99_of_others < 1 (not measured)", "p99_of_others < 1"]


def test_a_canary_is_found_in_every_form() -> None:
    """Backwards, in hexadecimal, in base64, percent-encoded."""
    case = Case("F00-02", "http", "", {}, ("network lacks canary",))
    for text in ("canary-1", "1-yranac", "63616e6172792d31", "Y2FuYXJ5LTE=", "%63%61%6E%61%72%79%2D%31"):
        assert problems(case, Seen(canary="canary-1", texts={"network": f"x{text}x"})) != []
    assert problems(case, Seen(canary="canary-1", texts={"network": "canary-2"})) == []


def test_no_source_evaluates_a_text() -> None:
    """No eval, exec or compile, no loader that makes objects of what it reads, no shell."""
    found: list[str] = []
    for path in [*ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("apps/*/src/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if _evaluates(node):
                found.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
    assert found == []


def _evaluates(node: ast.AST) -> bool:
    """Whether a piece of a program turns a text into one."""
    if isinstance(node, ast.Import):
        return any(name.name.partition(".")[0] in LOADING for name in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0] in LOADING
    if not isinstance(node, ast.Call):
        return False
    shell = any(
        word.arg == "shell" and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in node.keywords
    )
    return shell or (isinstance(node.func, ast.Name) and node.func.id in EVALUATING)
