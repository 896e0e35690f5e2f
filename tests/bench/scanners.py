"""What the scanners of other makers add to our own shapes and kinds: `make nightly`.

The texts of `packages/security/tests/cases`: unknown secrets, harmless texts; and sentences with names of
people. Needs the extras `kingfisher` and `presidio` of interlock-security, and a spaCy model named by
`INTERLOCK_BENCH_SPACY` for names of people.
"""

import os
import statistics
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from interlock_security import Detection, KnownSecretRedactor

_CASES = Path(__file__).resolve().parents[2] / "packages" / "security" / "tests" / "cases"
_NAMES = (
    "Call John Smith in Chicago before noon.",
    "The invoice of Maria Garcia is overdue.",
    "Forward this to Angela Meyer, who lives in Berlin.",
    "Peter Novak asked for a refund.",
)


def _texts(name: str) -> list[str]:
    texts: list[str] = []
    for case in tomllib.loads((_CASES / f"{name}.toml").read_text("utf-8"))["case"]:
        texts.append(str(case["text"]).replace("<SECRET>", "".join(map(str, case.get("secret", [])))))
    return texts


def lines() -> Iterator[str]:
    """One line a scanner: what it found of secrets, names and harmless texts, and its cost."""
    secrets = [*_texts("redaction_secrets"), *_texts("redaction_secrets_places")]
    harmless = _texts("redaction_innocent")
    model = os.environ.get("INTERLOCK_BENCH_SPACY", "")
    for name, detection in (
        ("ours", Detection()),
        ("kingfisher alone", Detection(shapes=False, personal=(), scanners=("kingfisher",))),
        ("ours and kingfisher", Detection(scanners=("kingfisher",))),
        ("ours and presidio", Detection(scanners=("presidio",), presidio_model=model)),
    ):
        redactor = KnownSecretRedactor(detection=detection)
        found = [_changed(redactor, texts) for texts in (secrets, harmless, _NAMES)]
        micros = [_micros(redactor, text) for text in harmless]
        yield (
            f"{name}: secrets {found[0]}/{len(secrets)}, harmless texts changed {found[1]}/{len(harmless)}, "
            f"names {found[2]}/{len(_NAMES)}, median {statistics.median(micros):.0f} us a text"
        )


def _changed(redactor: KnownSecretRedactor, texts: Sequence[str]) -> int:
    return sum(redactor.text(text) != text for text in texts)


def _micros(redactor: KnownSecretRedactor, text: str) -> float:
    begun = time.thread_time_ns()
    redactor.text(text)
    return (time.thread_time_ns() - begun) / 1e3


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True, file=sys.stdout)
