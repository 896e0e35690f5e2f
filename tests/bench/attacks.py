"""How many attacks of each family were tried against the product, and how many it held against.

`python tests/bench/attacks.py` prints one row a family over all of its cases; the number of a family as an
argument runs that one alone. With `FULL=1` every single change of a proof is tried, too.
"""

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from figure import ROOT, Figure


def figures(numbers: Sequence[int] = (), *, full: bool) -> Iterator[Figure]:
    """The attacks that passed through, family by family; the bound is none."""
    os.environ["INTERLOCK_FULL"] = "1" if full else "0"
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    from tests.attacks.harness.cases import family
    from tests.attacks.harness.families import NUMBERS, carried_out

    logging.getLogger("interlock").setLevel(logging.ERROR)
    for number in numbers or NUMBERS:
        with tempfile.TemporaryDirectory() as folder:
            results = asyncio.run(carried_out(number, Path(folder)))
        passed = [result for result in results if result.wrong]
        for result in passed:
            print(f"{result.case.id}: {result.case.given}: {'; '.join(result.wrong)}", file=sys.stderr)
        name = f"attacks, {number:02} {family(number).name}: of {len(results)} tried"
        yield Figure(name, len(passed), "passed", 0)


if __name__ == "__main__":
    for figure in figures([int(word) for word in sys.argv[1:]], full=os.environ.get("FULL") == "1"):
        print(figure, flush=True)
