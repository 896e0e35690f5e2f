"""The families of cases as they are written, with their placeholders filled in."""

import base64
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object

FAMILIES = Path(__file__).resolve().parents[1] / "families"


@dataclass(frozen=True, slots=True)
class Case:
    """One variant of an attack.

    Attributes:
        id: As in the file.
        surface: Where it is sent.
        given: What is special about it, in words.
        send: How it is carried out.
        must: What must hold afterwards; all of it.
    """

    id: str
    surface: str
    given: str
    send: JsonObject
    must: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of vulnerability.

    Attributes:
        number: Its number.
        name: Its name.
        reference: What once went wrong elsewhere.
        cases: Its variants.
    """

    number: int
    name: str
    reference: str
    cases: tuple[Case, ...]


def family(number: int) -> Family:
    """The family of a number, read from its file."""
    (path,) = FAMILIES.glob(f"{number:02}-*.toml")
    content = as_object(cast("Json", tomllib.loads(path.read_text("utf-8"))))
    cases = tuple(_case(as_object(entry)) for entry in as_array(content["case"]))
    return Family(number, str(content["family"]), str(content["reference"]), cases)


def matrix(number: int) -> dict[str, list[str]]:
    """The axes of a family's matrix, each with its values."""
    (path,) = FAMILIES.glob(f"{number:02}-*.toml")
    axes = as_object(as_object(cast("Json", tomllib.loads(path.read_text("utf-8"))))["axes"])
    return {
        name: [str(value) for value in values] for name, values in axes.items() if isinstance(values, list)
    }


def _case(entry: JsonObject) -> Case:
    return Case(
        id=str(entry["id"]),
        surface=str(entry["surface"]),
        given=str(entry["given"]),
        send=as_object(entry["send"]),
        must=tuple(str(word) for word in as_array(entry["must"])),
    )


def filled(value: Json, places: Mapping[str, str]) -> Json:
    """A value in which `{name}` stands for what the place of that name holds; other braces stay."""
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, list):
        return [filled(entry, places) for entry in value]
    if isinstance(value, dict):
        return {name: filled(entry, places) for name, entry in value.items()}
    return value


def canary_places(canary: str) -> dict[str, str]:
    """The placeholders of a canary in each of the forms that cases name."""
    raw = canary.encode()
    return {
        "canary": canary,
        "canary:base64": base64.b64encode(raw).decode(),
        "canary:hex": raw.hex(),
        "canary:reversed": canary[::-1],
    }


def forms(canary: str) -> tuple[str, ...]:
    """The encodings of a canary that nothing may hold."""
    raw = canary.encode()
    plain = base64.b64encode(raw).decode().rstrip("=")
    safe = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    quoted = "".join(f"%{byte:02X}" for byte in raw)
    return (canary, canary[::-1], raw.hex(), plain, safe, quoted)
