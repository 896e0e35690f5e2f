"""What SAM.gov's answers say, as records: the common fields typed, all of them in `raw`."""

from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from interlock_core.jsontypes import JsonObject, as_array, as_object
from interlock_tools.wrappers._api import text_of

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[Record]):
    """What a search found.

    Attributes:
        total: How many there are in all.
        rows: Those that were fetched.
    """

    total: int
    rows: tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A business, organisation or person that is registered.

    Attributes:
        uei: Its unique entity id.
        name: Its legal name.
        cage: Its CAGE code; empty when it has none.
        status: Whether its registration is active.
        expires: When that ends, as SAM.gov writes it.
        state: Where it is, such as `VA`.
        raw: The whole answer.
    """

    uei: str
    name: str
    cage: str
    status: str
    expires: str
    state: str
    raw: JsonObject = field(repr=False)

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        registration = as_object(value.get("entityRegistration"))
        core = as_object(value.get("coreData"))
        return cls(
            uei=text_of(registration, "ueiSAM"),
            name=text_of(registration, "legalBusinessName"),
            cage=text_of(registration, "cageCode"),
            status=text_of(registration, "registrationStatus"),
            expires=text_of(registration, "registrationExpirationDate"),
            state=text_of(core, "physicalAddress", "stateOrProvinceCode"),
            raw=value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """A notice about a contract.

    Attributes:
        id: Its notice id.
        title: Its title.
        number: Its solicitation number.
        organization: Who published it, from the department down.
        posted: Date, as year-month-day.
        deadline: Until when an answer is taken, as SAM.gov writes it; empty when it is not said.
        kind: What it is, such as `Solicitation`.
        naics: Its NAICS code.
        set_aside: For whom it is set aside, as a code; empty when for nobody.
        active: Whether it is not archived.
        url: Its page for people.
        raw: The whole answer.
    """

    id: str
    title: str
    number: str
    organization: str
    posted: str
    deadline: str
    kind: str
    naics: str
    set_aside: str
    active: bool
    url: str
    raw: JsonObject = field(repr=False)

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            id=text_of(value, "noticeId"),
            title=text_of(value, "title").strip(),
            number=text_of(value, "solicitationNumber").strip(),
            organization=text_of(value, "fullParentPathName"),
            posted=text_of(value, "postedDate")[:10],
            deadline=text_of(value, "responseDeadLine"),
            kind=text_of(value, "type"),
            naics=text_of(value, "naicsCode"),
            set_aside=text_of(value, "typeOfSetAside"),
            active=text_of(value, "active") == "Yes",
            url=text_of(value, "uiLink"),
            raw=value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A department or agency of the federal government.

    Attributes:
        id: Its id in the federal hierarchy.
        name: Its name.
        kind: `Department/Ind. Agency` or `Sub-Tier`.
        status: `ACTIVE` or `INACTIVE`.
        code: Its agency code.
        cgac: Its CGAC codes.
        department: Id of the department that it belongs to.
        raw: The whole answer.
    """

    id: str
    name: str
    kind: str
    status: str
    code: str
    cgac: tuple[str, ...]
    department: str
    raw: JsonObject = field(repr=False)

    @classmethod
    def of(cls, value: JsonObject) -> Self:
        """The record of an answer."""
        return cls(
            id=text_of(value, "fhorgid"),
            name=text_of(value, "fhorgname"),
            kind=text_of(value, "fhorgtype"),
            status=text_of(value, "status"),
            code=text_of(value, "agencycode"),
            cgac=tuple(text_of(as_object(one), "cgac") for one in as_array(value.get("cgaclist"))),
            department=text_of(value, "fhdeptindagencyorgid"),
            raw=value,
        )
