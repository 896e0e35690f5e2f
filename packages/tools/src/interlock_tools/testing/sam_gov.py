"""A stand-in for SAM.gov's public APIs: a real HTTP server on loopback that speaks their wire format.

```python
async with SamGovStandIn() as sam:
    sam.add_opportunity("Repair of a bridge", posted=date(2027, 1, 4))
    ...  # GET {sam.url}/opportunities/v2/search?api_key={sam.key}&postedFrom=01/01/2027&postedTo=01/31/2027
```

Entities (v3), contract opportunities (v2) and the federal hierarchy (v1), each with the pages, dates, limits
and errors that the public reference states: the key in the query, days as MM/DD/YYYY, at most a year between
two of them, ten entities on a page, `offset` as the index of a page, so many requests a day and then 429.

What it does not do: no other version, no extracts, no system accounts, no sections of an entity but two.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Self

from interlock_core.jsontypes import Json, JsonObject, dump_json
from interlock_tools.testing._background import BackgroundServer
from interlock_tools.testing._wire import Request, Response

__all__ = ["SamGovStandIn"]

_ENTITIES = "/entity-information/v3/entities"
_OPPORTUNITIES = "/opportunities/v2/search"
_ORGANIZATIONS = "/prod/federalorganizations/v1/orgs"
_HIERARCHY = "/prod/federalorganizations/v1/org/hierarchy"
_ENTITY_PARAMETERS = frozenset(
    {
        *("api_key", "q", "ueiSAM", "legalBusinessName", "cageCode", "registrationStatus", "naicsCode"),
        *("physicalAddressProvinceOrStateCode", "registrationDate", "includeSections", "page", "size"),
    }
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class _RefusedError(Exception):
    """An answer that says no.

    Args:
        status: The HTTP status.
        body: What it says.
        headers: Further headers.
    """

    def __init__(self, status: int, body: JsonObject, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSearch:
    """One request that arrived.

    Attributes:
        path: The path.
        query: The parameters, without the key.
        status: Status of the answer.
    """

    path: str
    query: Mapping[str, str]
    status: int


@dataclass(slots=True)
class _Day:
    """How many requests the key made on a day."""

    at: date
    used: int = 0


@dataclass(slots=True)
class _Records:
    entities: list[JsonObject] = field(default_factory=list[JsonObject])
    opportunities: list[JsonObject] = field(default_factory=list[JsonObject])
    organizations: list[JsonObject] = field(default_factory=list[JsonObject])


class SamGovStandIn:
    """SAM.gov on 127.0.0.1; an async context manager.

    Args:
        key: The only key that is accepted.
        daily_limit: Requests a day before 429.
        now: The clock.
    """

    def __init__(
        self,
        *,
        key: str = "SAM-standin-key-0001",
        daily_limit: int = 1_000,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.key = key
        self.url = ""
        self.requests: list[SeenSearch] = []
        self._limit = daily_limit
        self._now = now
        self._records = _Records()
        self._day = _Day(now().date())
        self._server = BackgroundServer(self._answer)

    def add_entity(self, name: str, *, uei: str, state: str = "VA", naics: str = "541512") -> None:
        """Register an entity."""
        registration: JsonObject = {
            "samRegistered": "Yes",
            "ueiSAM": uei,
            "legalBusinessName": name,
            "dbaName": None,
            "cageCode": uei[:5],
            "registrationStatus": "Active",
            "registrationExpirationDate": "2027-12-31",
            "purposeOfRegistrationDesc": "All Awards",
        }
        address: JsonObject = {
            "city": "ARLINGTON",
            "stateOrProvinceCode": state,
            "zipCode": "22201",
            "countryCode": "USA",
        }
        trades: list[Json] = [{"naicsCode": naics}]
        self._records.entities.append(
            {
                "entityRegistration": registration,
                "coreData": {"physicalAddress": address},
                "assertions": {"goodsAndServices": {"naicsList": trades}},
            }
        )

    def add_opportunity(
        self, title: str, *, posted: date, kind: str = "Solicitation", naics: str = "237310"
    ) -> str:
        """Publish a notice; its id."""
        number = len(self._records.opportunities) + 1
        name = f"{number:032x}"
        self._records.opportunities.append(
            {
                "noticeId": name,
                "title": f"{title} ",
                "solicitationNumber": f" 47PF{number:04}",
                "fullParentPathName": "GENERAL SERVICES ADMINISTRATION.PUBLIC BUILDINGS SERVICE",
                "fullParentPathCode": "047.4740",
                "postedDate": posted.isoformat(),
                "type": kind,
                "baseType": kind,
                "archiveDate": None,
                "typeOfSetAside": "SBA",
                "typeOfSetAsideDescription": "Total Small Business Set-Aside (FAR 19.5)",
                "responseDeadLine": f"{posted + timedelta(days=30)}T17:00:00-05:00",
                "naicsCode": naics,
                "classificationCode": "Z",
                "active": "Yes",
                "award": None,
                "pointOfContact": [{"fax": None, "type": "primary", "email": "someone@example.gov"}],
                "description": f"{self.url}/prod/opportunities/v1/noticedesc?noticeid={name}",
                "placeOfPerformance": {"city": {"name": "Milwaukee"}, "state": {"code": "WI"}},
                "uiLink": f"https://sam.gov/opp/{name}/view",
                "resourceLinks": None,
            }
        )
        return name

    def add_organization(self, name: str, *, number: int, above: int | None = None) -> None:
        """Add a department, or an agency below one."""
        self._records.organizations.append(
            {
                "fhorgid": number,
                "fhorgname": name,
                "fhorgtype": "Department/Ind. Agency" if above is None else "Sub-Tier",
                "status": "ACTIVE",
                "agencycode": f"{number % 10_000:04}",
                "fhdeptindagencyorgid": number if above is None else above,
                "fhagencyorgname": name,
                "cgaclist": [{"cgac": f"{number % 1_000:03}"}],
                "links": [{"rel": "self", "href": f"{self.url}{_ORGANIZATIONS}?fhorgid={number}"}],
            }
        )

    async def __aenter__(self) -> Self:
        self.url = self._server.bind()
        self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._server.stop)

    async def _answer(self, request: Request) -> Response:
        headers = {"content-type": "application/json", "date": format_datetime(self._now(), usegmt=True)}
        try:
            self._admit(request)
            status, body = 200, self._found(request)
        except _RefusedError as refused:
            status, body = refused.status, refused.body
            headers |= refused.headers
        query = {name: value for name, value in request.query.items() if name != "api_key"}
        self.requests.append(SeenSearch(path=request.path, query=query, status=status))
        return Response(status=status, headers=headers, body=dump_json(body).encode())

    def _admit(self, request: Request) -> None:
        """Refuse a request without a key, with a wrong one, or beyond the day's limit."""
        key = request.query.get("api_key")
        if not key:
            raise _RefusedError(403, _gateway("API_KEY_MISSING", "No api_key was supplied."))
        if key != self.key:
            raise _RefusedError(403, _gateway("API_KEY_INVALID", "An invalid api_key was supplied."))
        today = self._now().date()
        if self._day.at != today:
            self._day = _Day(today)
        if self._day.used >= self._limit:
            midnight = datetime.combine(today + timedelta(days=1), datetime.min.time(), UTC)
            body: JsonObject = {
                "code": "900804",
                "message": "Message throttled out",
                "description": "You have exceeded your quota. You can access API after "
                f"{midnight:%Y-%b-%d %H:%M:%S}+0000 UTC",
            }
            raise _RefusedError(429, body, {"retry-after": format_datetime(midnight, usegmt=True)})
        self._day.used += 1

    def _found(self, request: Request) -> JsonObject:
        query = request.query
        match request.path:
            case path if path == _ENTITIES:
                return self._entities(request, query)
            case path if path == _OPPORTUNITIES:
                return self._opportunities(query)
            case path if path == _ORGANIZATIONS:
                return self._organizations(query, self._records.organizations)
            case path if path == _HIERARCHY:
                above = query.get("fhorgid", "")
                rows = [
                    row
                    for row in self._records.organizations
                    if str(row["fhdeptindagencyorgid"]) == above and str(row["fhorgid"]) != above
                ]
                if not rows:
                    raise _RefusedError(400, {"message": "No children are available for this organization"})
                return self._organizations({**query, "fhorgid": ""}, rows)
            case _:
                raise _RefusedError(404, {"message": "The requested resource could not be found."})

    def _entities(self, request: Request, query: Mapping[str, str]) -> JsonObject:
        unknown = next((name for name in query if name not in _ENTITY_PARAMETERS), None)
        if unknown is not None:
            raise _entity_error(
                f"The search parameter, {unknown} does not exist.", "Please refer to the list."
            )
        page, size = _number(query, "page", 0), _number(query, "size", 10)
        if size > 10:
            raise _entity_error(f"size is {size}", "Size Cannot Exceed 10 Records")
        if (page + 1) * size > 10_000:
            raise _entity_error("Results Too Large", "The Page and Size search has exceeded 10,000 records.")
        if "registrationDate" in query and _day(query["registrationDate"].strip("[]").split(",")[0]) is None:
            raise _entity_error("Dates must be specified in the MM/DD/YYYY format.", "See the reference.")
        wanted = {
            "ueiSAM": query.get("ueiSAM", ""),
            "legalBusinessName": query.get("legalBusinessName", ""),
            "stateOrProvinceCode": query.get("physicalAddressProvinceOrStateCode", ""),
            "naicsCode": query.get("naicsCode", ""),
        }
        rows = [row for row in self._records.entities if _fits(row, wanted, query.get("q", ""))]
        shown: list[Json] = [*rows[page * size : (page + 1) * size]]
        base = f"{self.url}{request.path}?size={size}&page="
        links: JsonObject = {"selfLink": f"{base}{page}"}
        if (page + 1) * size < len(rows):
            links["nextLink"] = f"{base}{page + 1}"
        return {"totalRecords": len(rows), "entityData": shown, "links": links}

    def _opportunities(self, query: Mapping[str, str]) -> JsonObject:
        if not query.get("postedFrom") or not query.get("postedTo"):
            raise _plain_error("PostedFrom and PostedTo are mandatory")
        days = [_day(query[name]) for name in ("postedFrom", "postedTo")]
        first, last = days
        if first is None or last is None:
            raise _plain_error("Invalid Date Entered. Expected date format is MM/dd/yyyy")
        if last - first > timedelta(days=365):
            raise _plain_error("Date range must be 1 year(s) apart")
        limit, offset = _number(query, "limit", 1), _number(query, "offset", 0)
        if limit > 1_000:
            raise _plain_error("Limit valid range is 0-1000. Please provide valid input.")
        rows = [
            row
            for row in self._records.opportunities
            if first.isoformat() <= str(row["postedDate"]) <= last.isoformat()
            and query.get("title", "").lower() in str(row["title"]).lower()
            and query.get("ncode", row["naicsCode"]) == row["naicsCode"]
        ]
        shown: list[Json] = [*rows[offset * limit : (offset + 1) * limit]]
        return {"totalRecords": len(rows), "limit": limit, "offset": offset, "opportunitiesData": shown}

    def _organizations(self, query: Mapping[str, str], rows: list[JsonObject]) -> JsonObject:
        status = query.get("status", "")
        if status.lower() not in {"", "active", "inactive"}:
            raise _plain_error("Status value must be either Active/Inactive")
        limit, offset = _number(query, "limit", 10), _number(query, "offset", 0)
        wanted = [
            row
            for row in rows
            if query.get("fhorgname", "").lower() in str(row["fhorgname"]).lower()
            and query.get("fhorgid", "") in {"", str(row["fhorgid"])}
            and (not status or status.upper() == row["status"])
        ]
        wanted.sort(key=lambda row: (str(row["fhorgtype"]), str(row["fhorgname"])))
        shown: list[Json] = [*wanted[offset * limit : (offset + 1) * limit]]
        return {"totalrecords": len(wanted), "orglist": shown}


def _fits(row: JsonObject, wanted: Mapping[str, str], words: str) -> bool:
    """Whether an entity holds each wanted value, and the words."""
    text = dump_json(row).lower()
    exact = all(
        not value or f'"{value}"'.lower() in text for name, value in wanted.items() if "Name" not in name
    )
    return exact and wanted["legalBusinessName"].lower() in text and words.lower() in text


def _day(text: str) -> date | None:
    month, _, rest = text.partition("/")
    day, _, year = rest.partition("/")
    if (len(month), len(day), len(year)) != (2, 2, 4) or not f"{month}{day}{year}".isdecimal():
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise _plain_error("limit/offset must be a positive number.")
    return int(text)


def _gateway(code: str, message: str) -> JsonObject:
    return {"error": {"code": code, "message": message}}


def _plain_error(message: str) -> _RefusedError:
    return _RefusedError(400, {"errorCode": 400, "errorMessage": message})


def _entity_error(message: str, detail: str) -> _RefusedError:
    return _RefusedError(
        400,
        {
            "status": "BAD_REQUEST",
            "timestamp": "2027-01-15T08:00:00.000Z",
            "message": message,
            "detail": detail,
            "errorCode": "400",
            "transaction_id": "00000000-0000-0000-0000-000000000001",
        },
    )
