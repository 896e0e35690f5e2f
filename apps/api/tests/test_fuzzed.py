"""The management interface against its own description: what it allows, and what it forbids.

Schemathesis makes both from `/openapi.json`, the same ones in every run. What a right request does is proved
elsewhere; here no request may make the server fail, and no answer may be one that is not described.
"""

import os
import shutil
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, cast

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from requests import Session
from schemathesis import GenerationMode, openapi
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks

from interlock_api import running
from interlock_core.jsontypes import as_object, parse_json
from interlock_runtime import Runtime, Settings
from interlock_runtime.settings import ProviderSettings

from .conftest import Gate

PROBLEM = "application/problem+json"
EXAMPLES = 100 if os.environ.get("INTERLOCK_FULL") else 3 if os.environ.get("INTERLOCK_QUICK") == "1" else 12
AREAS = (
    *("alerts", "approvals", "audit", "keys", "limits", "quotas"),
    *("roles", "session", "teams", "users", "vault"),
    "others",  # whatever has none of these names
)
ALWAYS = (
    *("status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance"),
)


class Answered(Protocol):
    """An answer, as Schemathesis holds it."""

    status_code: int
    headers: Mapping[str, Sequence[str]]
    content: bytes
    text: str


class Made(Protocol):
    """A request that was made."""

    def call(self, *, base_url: str, session: Session) -> Answered:
        """Send it."""
        ...

    def validate_response(self, response: Answered, *, checks: Sequence[object]) -> None:
        """Hold its answer against the description."""
        ...


class Operation(Protocol):
    """A method of a path."""

    label: str
    path: str

    def as_strategy(self, generation_mode: GenerationMode) -> SearchStrategy[Made]:
        """Requests of it."""
        ...


class Found(Protocol):
    """A method of a path, or why it cannot be read."""

    def ok(self) -> Operation:
        """The operation."""
        ...


class Description(Protocol):
    """A description that was read."""

    def get_all_operations(self) -> Iterable[Found]:
        """Everything that is described."""
        ...


@asynccontextmanager
async def opened(home: Path) -> AsyncGenerator[Gate, None]:
    """A gateway without any provider."""
    nobody = {"local": ProviderSettings(kind="local", enabled=False)}
    async with Runtime.open(Settings(home=home, providers=nobody), environment={}) as runtime:
        secret = runtime.access.admin_key()
        assert secret is not None
        async with running(runtime) as address:
            yield Gate(address, secret.reveal(), runtime)


@pytest.fixture(scope="module")
def served(made_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """A gateway on a loop of its own, for Schemathesis waits for each answer."""
    home = shutil.copytree(made_home, tmp_path_factory.mktemp("fuzzed") / "home")
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(opened(home)) as gate:
        yield gate


@pytest.fixture(scope="module")
def session(served: Gate) -> Iterator[Session]:
    """Connections that carry the admin key."""
    with Session() as made:
        made.headers["x-api-key"] = served.key
        yield made


@pytest.fixture(scope="module")
def described(served: Gate, session: Session) -> Description:
    """What the gateway says of itself; keys are left out, so that every request is the admin's."""
    load_all_checks()
    found = as_object(parse_json(session.get(f"{served.address}/openapi.json").content))
    del found["security"], as_object(found["components"])["securitySchemes"]
    return cast("Description", openapi.from_dict(found))


def operations(described: Description, area: str) -> list[Operation]:
    """The operations of one area, such as `keys`."""
    found = [result.ok() for result in described.get_all_operations()]
    return [operation for operation in found if area_of(operation) == area]


def area_of(operation: Operation) -> str:
    """The area that an operation belongs to."""
    name = operation.path.split("/")[2]
    return name if name in AREAS else "others"


def asked(operation: Operation, mode: GenerationMode, gate: Gate, session: Session) -> Counter[int]:
    """Requests of one operation, every answer held against the description; how many had which status."""
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.filter_too_much,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )
    @given(operation.as_strategy(mode))
    def ask(case: Made) -> None:
        answer = case.call(base_url=gate.address, session=session)
        statuses[answer.status_code] += 1
        # A target that is too long is refused before anybody looks at what is in it.
        names = ALWAYS if answer.status_code == 414 else (*ALWAYS, "negative_data_rejection")
        assert answer.status_code < 500, answer.text
        case.validate_response(answer, checks=[vars(checks)[name] for name in names])
        assert answer.status_code < 400 or is_problem(answer), answer.text

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, f"nothing can be sent to {operation.label}"
    return statuses


def is_problem(answer: Answered) -> bool:
    """Whether an answer is problem details that say its own status."""
    (kind,) = answer.headers["content-type"]
    return kind == PROBLEM and as_object(parse_json(answer.content))["status"] == answer.status_code


@pytest.mark.promise("G3")
@pytest.mark.parametrize("area", AREAS)
def test_what_the_description_allows_never_makes_the_server_fail(
    described: Description, served: Gate, session: Session, area: str
) -> None:
    """Whatever the answer is, it is described: status, media type, headers and body."""
    statuses: Counter[int] = Counter()
    for operation in operations(described, area):
        statuses += asked(operation, GenerationMode.POSITIVE, served, session)
    assert statuses[401] == statuses[403] == 0
    assert area == "others" or statuses[200]


@pytest.mark.promise("G3")
@pytest.mark.parametrize("area", AREAS)
def test_what_the_description_forbids_is_refused_as_a_problem(
    described: Description, served: Gate, session: Session, area: str
) -> None:
    """Wrong types, values out of bounds, fields that are missing or unknown."""
    statuses: Counter[int] = Counter()
    for operation in operations(described, area):
        statuses += asked(operation, GenerationMode.NEGATIVE, served, session)
    assert statuses[401] == statuses[403] == 0
    assert area in {"session", "others"} or statuses[400]


@pytest.mark.promise("G3")
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("GET", "/api/audit?since=1.3e16", b"", 400, "since"),
        ("GET", "/api/audit?until=nan", b"", 400, "until"),
        ("GET", "/api/audit/export?since=1e300", b"", 400, "since"),
        ("POST", "/api/audit/erase", b'{"before": 1e303}', 400, "before"),
        ("GET", "/api/audit/records/0/proof?since=no-checkpoint", b"", 400, "since"),
        ("GET", f"/api/keys?cursor={'x' * 70_000}", b"", 414, None),
    ],
)
async def test_what_made_the_server_fail_once_is_the_callers_mistake(
    gate: Gate, method: str, path: str, body: bytes, status: int, field: str | None
) -> None:
    """Each was found by the requests above."""
    await gate.ask("POST", "/api/audit/verify")
    answer = await gate.ask(method, path, body=body, content_type="application/json")
    told = as_object(parse_json(answer.body))
    assert (answer.status, told["status"], told.get("field")) == (status, status, field)
