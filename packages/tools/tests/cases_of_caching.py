"""What RFC 9111 says of two requests for the same thing, as a private cache has to act: cases, no code.

Each case: what the first answer says, how much time passes, what the second request says, and what has to
happen then. `kept`: nothing is sent. `asked`: the whole is asked for again. `confirmed`: it is asked whether
it is still the same. Where the rules leave a choice, the case holds the choice that is stated in
`execution/_cache.py`. `NOW` is the time of the first answer.
"""

from dataclasses import dataclass, field
from typing import Literal

NOW = 1_800_000_000.0
"""Fri, 15 Jan 2027 08:00:00 GMT."""

DATE = ("Date", "Fri, 15 Jan 2027 08:00:00 GMT")
LATER = "Fri, 15 Jan 2027 09:00:00 GMT"
EARLIER = "Fri, 15 Jan 2027 07:00:00 GMT"
TAG = ("ETag", '"v1"')

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Two requests.

    Attributes:
        rule: What is shown, with the section of RFC 9111.
        says: Headers of the first answer.
        then: What has to happen with the second request.
        status: Status of the first answer.
        passes_s: Seconds between the two.
        asks: Headers of the second request.
        asked: Headers of the first request.
    """

    rule: str
    says: Headers
    then: Literal["kept", "asked", "confirmed"]
    status: int = 200
    passes_s: float = 1.0
    asks: Headers = ()
    asked: Headers = field(default=())


def says(*values: str) -> Headers:
    """Headers with these `Cache-Control`s and a date."""
    return (DATE, *(("Cache-Control", value) for value in values))


CASES: tuple[Case, ...] = (
    # 3: storing
    Case(rule="3: an answer that says nothing is not kept", says=(DATE,), then="asked"),
    Case(rule="3: a lifetime is enough", says=says("max-age=60"), then="kept"),
    Case(rule="3: a tag is enough to ask with", says=(DATE, TAG), then="confirmed"),
    Case(
        rule="3: a date of change is enough to ask with",
        says=(DATE, ("Last-Modified", EARLIER)),
        then="confirmed",
    ),
    Case(
        rule="3: a date of change that is none is nothing", says=(DATE, ("Last-Modified", "x")), then="asked"
    ),
    Case(rule="5.2.2.5: no-store", says=says("no-store, max-age=60"), then="asked"),
    Case(rule="5.2.2.5: no-store with a tag", says=(*says("no-store"), TAG), then="asked"),
    Case(rule="5.2.2.5: no-store in capitals", says=says("NO-STORE, max-age=60"), then="asked"),
    Case(rule="5.2.2.5: no-store in a header of its own", says=says("max-age=60", "no-store"), then="asked"),
    Case(rule="5.2.2.7: private is for a private cache", says=says("private, max-age=60"), then="kept"),
    Case(rule="5.2.2.7: private with names", says=says('private="x-a", max-age=60'), then="kept"),
    Case(rule="5.2.2.9: public", says=says("public, max-age=60"), then="kept"),
    Case(rule="5.2.2.10: s-maxage is for shared caches", says=says("s-maxage=60"), then="asked"),
    Case(rule="5.2.2.10: max-age beside s-maxage", says=says("s-maxage=0, max-age=60"), then="kept"),
    Case(rule="5.2.3: what is not known is passed over", says=says("fancy=1, max-age=60"), then="kept"),
    # 3 and 4.2.2: statuses
    Case(rule="3: not found, with a lifetime", says=says("max-age=60"), status=404, then="kept"),
    Case(rule="3: gone, with a lifetime", says=says("max-age=60"), status=410, then="kept"),
    Case(rule="3: not found, with a tag alone", says=(DATE, TAG), status=404, then="asked"),
    Case(rule="3: an error of the server", says=says("max-age=60"), status=500, then="asked"),
    Case(rule="3: too many requests", says=says("max-age=60"), status=429, then="asked"),
    Case(rule="3: a part", says=says("max-age=60"), status=206, then="asked"),
    Case(rule="3: a status that is not known", says=says("max-age=60"), status=299, then="asked"),
    Case(rule="3: no content, with a lifetime", says=says("max-age=60"), status=204, then="kept"),
    # 4.2.1: lifetimes
    Case(rule="4.2: fresh to the end", says=says("max-age=60"), passes_s=59, then="kept"),
    Case(rule="4.2: not beyond", says=says("max-age=60"), passes_s=60, then="asked"),
    Case(rule="4.2: stale with a tag", says=(*says("max-age=60"), TAG), passes_s=61, then="confirmed"),
    Case(rule="4.2.1: max-age of nothing", says=(*says("max-age=0"), TAG), then="confirmed"),
    Case(rule="4.2.1: max-age below nothing", says=(*says("max-age=-1"), TAG), then="confirmed"),
    Case(rule="4.2.1: max-age that is no number", says=(*says("max-age=soon"), TAG), then="confirmed"),
    Case(rule="4.2.1: max-age with a fraction", says=(*says("max-age=6.5"), TAG), then="confirmed"),
    Case(rule="4.2.1: max-age in quotes", says=says('max-age="60"'), then="kept"),
    Case(rule="4.2.1: max-age larger than any number", says=says("max-age=" + "9" * 40), then="kept"),
    Case(rule="4.2.1: max-age in capitals", says=says("MaX-AgE=60"), then="kept"),
    Case(rule="4.2.1: max-age with a space is none", says=(*says("max-age =60"), TAG), then="confirmed"),
    Case(
        rule="4.2.1: max-age in the value of another",
        says=(*says('x="a, max-age=60"'), TAG),
        then="confirmed",
    ),
    Case(rule="4.2.1: of two the first", says=says("max-age=60, max-age=0"), then="kept"),
    Case(rule="5.3: Expires", says=(DATE, ("Expires", LATER)), then="kept"),
    Case(rule="5.3: Expires is over", says=(DATE, ("Expires", EARLIER), TAG), then="confirmed"),
    Case(rule="5.3: Expires is now", says=(DATE, ("Expires", DATE[1]), TAG), then="confirmed"),
    Case(rule="5.3: Expires of 0", says=(DATE, ("Expires", "0"), TAG), then="confirmed"),
    Case(rule="5.3: Expires without a date", says=(("Expires", LATER),), then="kept"),
    Case(
        rule="5.3: Expires in the form of RFC 850",
        says=(DATE, ("Expires", "Friday, 15-Jan-27 09:00:00 GMT")),
        then="kept",
    ),
    Case(
        rule="5.3: Expires in the form of asctime",
        says=(DATE, ("Expires", "Fri Jan 15 09:00:00 2027")),
        then="kept",
    ),
    Case(
        rule="5.3: Expires in another zone",
        says=(DATE, ("Expires", "Fri, 15 Jan 2027 19:00:00 CET"), TAG),
        then="confirmed",
    ),
    Case(
        rule="5.3: two Expires are none",
        says=(DATE, ("Expires", LATER), ("Expires", LATER), TAG),
        then="confirmed",
    ),
    Case(rule="5.3: max-age before Expires", says=(*says("max-age=60"), ("Expires", EARLIER)), then="kept"),
    Case(
        rule="5.3: max-age of 0 before Expires",
        says=(*says("max-age=0"), ("Expires", LATER), TAG),
        then="confirmed",
    ),
    # 4.2.3: age
    Case(rule="4.2.3: an age on the way", says=(*says("max-age=60"), ("Age", "59")), passes_s=0, then="kept"),
    Case(
        rule="4.2.3: an age that used it up",
        says=(*says("max-age=60"), ("Age", "60"), TAG),
        passes_s=0,
        then="confirmed",
    ),
    Case(
        rule="4.2.3: an age that is none", says=(*says("max-age=60"), ("Age", "old")), passes_s=0, then="kept"
    ),
    Case(
        rule="4.2.3: an age below nothing",
        says=(*says("max-age=60"), ("Age", "-7200")),
        passes_s=0,
        then="kept",
    ),
    Case(
        rule="4.2.3: a date long ago",
        says=(("Date", EARLIER), ("Cache-Control", "max-age=60"), TAG),
        then="confirmed",
    ),
    Case(rule="4.2.3: a date to come", says=(("Date", LATER), ("Cache-Control", "max-age=60")), then="kept"),
    # 5.2.2.2, 5.2.2.4: asking before giving
    Case(rule="5.2.2.4: no-cache", says=(*says("no-cache, max-age=60"), TAG), then="confirmed"),
    Case(
        rule="5.2.2.4: no-cache with names",
        says=(*says('no-cache="set-cookie", max-age=60'), TAG),
        then="confirmed",
    ),
    Case(rule="5.2.2.2: must-revalidate while fresh", says=says("max-age=60, must-revalidate"), then="kept"),
    Case(
        rule="5.2.2.2: must-revalidate when stale",
        says=(*says("max-age=60, must-revalidate"), TAG),
        passes_s=90,
        then="confirmed",
    ),
    # 5.2.1: what the second request says
    Case(
        rule="5.2.1.4: the request says no-cache",
        says=(*says("max-age=60"), TAG),
        asks=(("cache-control", "no-cache"),),
        then="confirmed",
    ),
    Case(
        rule="5.2.1.5: the request says no-store",
        says=says("max-age=60"),
        asks=(("cache-control", "no-store"),),
        then="asked",
    ),
    Case(
        rule="5.2.1.1: the request says max-age=0",
        says=(*says("max-age=60"), TAG),
        asks=(("cache-control", "max-age=0"),),
        then="confirmed",
    ),
    Case(
        rule="5.2.1.1: younger than the request wants",
        says=says("max-age=60"),
        asks=(("cache-control", "max-age=10"),),
        then="kept",
    ),
    Case(
        rule="5.2.1.3: not fresh for long enough",
        says=(*says("max-age=60"), TAG),
        asks=(("cache-control", "min-fresh=90"),),
        then="confirmed",
    ),
    Case(
        rule="5.2.1.2: stale is not given, though the request would take it",
        says=(*says("max-age=60"), TAG),
        passes_s=90,
        asks=(("cache-control", "max-stale=900"),),
        then="confirmed",
    ),
    Case(
        rule="5.4: the request says Pragma: no-cache",
        says=(*says("max-age=60"), TAG),
        asks=(("pragma", "no-cache"),),
        then="confirmed",
    ),
    # 4.1: Vary
    Case(
        rule="4.1: Vary, the same",
        says=(*says("max-age=60"), ("Vary", "X-A")),
        asked=(("x-a", "1"),),
        asks=(("x-a", "1"),),
        then="kept",
    ),
    Case(
        rule="4.1: Vary, another",
        says=(*says("max-age=60"), ("Vary", "X-A")),
        asked=(("x-a", "1"),),
        asks=(("x-a", "2"),),
        then="asked",
    ),
    Case(
        rule="4.1: Vary, missing the second time",
        says=(*says("max-age=60"), ("Vary", "X-A")),
        asked=(("x-a", "1"),),
        then="asked",
    ),
    Case(rule="4.1: Vary, missing both times", says=(*says("max-age=60"), ("Vary", "X-A")), then="kept"),
    Case(
        rule="4.1: Vary, another that is not named: nobody knows what the API makes of it",
        says=(*says("max-age=60"), ("Vary", "X-A")),
        asks=(("x-b", "2"),),
        then="asked",
    ),
    Case(rule="4.1: Vary of everything", says=(*says("max-age=60"), ("Vary", "*")), then="asked"),
    Case(
        rule="4.1: Vary of everything, among others",
        says=(*says("max-age=60"), ("Vary", "X-A, *")),
        then="asked",
    ),
    Case(
        rule="4.1: Vary in two headers",
        says=(*says("max-age=60"), ("Vary", "X-B"), ("Vary", "X-A")),
        asked=(("x-a", "1"),),
        asks=(("x-a", "2"),),
        then="asked",
    ),
    # 4.3.1 and RFC 9110, 13: conditions of the caller's own
    Case(
        rule="4.3: a condition of its own passes by",
        says=says("max-age=60"),
        asks=(("if-none-match", '"x"'),),
        then="asked",
    ),
    Case(rule="4: a range passes by", says=says("max-age=60"), asks=(("range", "bytes=0-1"),), then="asked"),
)
