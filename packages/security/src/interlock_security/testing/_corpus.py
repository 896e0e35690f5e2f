"""Cedar's public corpus of integration tests, put through the same call as the house's own decisions."""

import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from cedarpy import PolicySet, Schema

from interlock_core.jsontypes import JsonObject, as_array, as_object
from interlock_security.permissions._cedar import ask_cedar, fits_schema, made_entities

_NAME = Path("cedar") / "corpus-tests.tar.gz"


def corpus_path(beside: Path) -> Path | None:
    """Where the corpus is: below `INTERLOCK_CORPUS`, else below `shared/corpus` beside the repository.

    Args:
        beside: The repository's folder.
    """
    named = os.environ.get("INTERLOCK_CORPUS")
    folder = Path(named) if named else beside.resolve().parent / "shared" / "corpus"
    path = folder / _NAME
    return path if path.is_file() else None


class CedarCorpus:
    """The corpus, or every so-manieth policy set of it.

    Args:
        path: The archive.
        every: 1 takes all policy sets, 40 every 40th.

    Attributes:
        sets: Policy sets that were tried.
        requests: Requests that were tried.
        problems: What came out wrong, a line each.
    """

    def __init__(self, path: Path, *, every: int = 1) -> None:
        self.sets = self.requests = 0
        self.problems: list[str] = []
        files = _files(path)
        tests = sorted(
            name for name in files if name.endswith(".json") and not name.endswith(".entities.json")
        )
        for name in tests[::every]:
            self.sets += 1
            self.problems += self._try(name, files)

    def _try(self, name: str, files: Mapping[str, str]) -> Iterator[str]:
        test = cast("JsonObject", json.loads(files[name]))
        policies, schema = files[str(test["policies"])], files[str(test["schema"])]
        valid = fits_schema(policies, schema)
        if valid is not test["shouldValidate"]:
            yield f"{name}: validation says {valid}"
        made = PolicySet.from_str(policies)
        entities = made_entities(files[str(test["entities"])])
        read = Schema.from_str(schema)
        for number, request in enumerate(map(as_object, as_array(test["requests"]))):
            self.requests += 1
            asked = {key: request[key] for key in ("principal", "action", "resource", "context")}
            answer = ask_cedar(asked, made, entities, schema=read if request["validateRequest"] else None)
            told = (answer.decision.value.lower(), sorted(answer.reasons), bool(answer.errors))
            reasons = sorted(map(str, as_array(request["reason"])))
            expected = (str(request["decision"]).lower(), reasons, bool(request["errors"]))
            if told != expected:
                yield f"{name}, request {number}: {told}, but {expected}"
            if answer.permitted and (request["decision"] != "allow" or request["errors"]):
                yield f"{name}, request {number}: permitted in spite of an error"


def _files(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        return {
            member.name.removeprefix("./"): read.read().decode("utf-8", "surrogatepass")
            for member in archive
            if member.isfile() and (read := archive.extractfile(member)) is not None
        }
