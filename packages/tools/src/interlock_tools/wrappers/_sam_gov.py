"""SAM.gov for programs: entities, contract opportunities and the federal hierarchy."""

from collections.abc import Callable
from datetime import date, timedelta

from interlock_core.call import Call
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import Json, JsonObject, as_object
from interlock_core.protocols import ToolExecutor
from interlock_tools.wrappers._api import Api, number_of, rows_of
from interlock_tools.wrappers._sam_gov_records import Entity, Found, Opportunity, Organization

_MOST_OPPORTUNITIES = 1_000
_MOST_ORGANIZATIONS = 100
_MOST_ENTITIES = 10
_LONGEST = 366
_FORBIDDEN = "&|{}^\\"
_REMEDIES = {
    401: "Give a key that SAM.gov accepts; keys end after 90 days and are renewed on the account's page.",
    403: "Give a key that SAM.gov accepts; keys end after 90 days and are renewed on the account's page.",
    404: "Check the parameters: SAM.gov also says so when it finds nothing.",
    429: "The key's requests of this day are used up; they begin anew at midnight UTC.",
}


class SamGov:
    """The public APIs of SAM.gov.

    A key without a role has 10 requests a day: searches fetch the largest pages there are, and only as many
    as are asked for. Every method raises `CredentialError` or `PermissionDeniedError` (the key),
    `InvalidRequestError` (a parameter), `UpstreamRateLimitError` (the day's requests) or `UpstreamError`.

    Args:
        executor: Makes the calls; its registry holds the shipped document.
        context: Makes the context of each call: who asks, within which bounds.
        namespace: Namespace of the document.
    """

    def __init__(
        self, executor: ToolExecutor, *, context: Callable[[], Call], namespace: str = "sam_gov"
    ) -> None:
        self._api = Api(executor, namespace=namespace, context=context, remedies=_REMEDIES)

    async def entities(
        self,
        text: str | None = None,
        *,
        uei: str | None = None,
        name: str | None = None,
        state: str | None = None,
        naics: str | None = None,
        pages: int = 1,
    ) -> Found[Entity]:
        """Registered entities, ten a page.

        Args:
            text: Words to search for.
            uei: A unique entity id.
            name: A legal name, or a part of it.
            state: A state, as two letters.
            naics: A NAICS code.
            pages: Most pages.
        """
        value = await self._search(
            "search_entities",
            {
                "q": text,
                "ueiSAM": uei,
                "legalBusinessName": name,
                "physicalAddressProvinceOrStateCode": state,
                "naicsCode": naics,
                "size": _MOST_ENTITIES,
            },
            pages,
        )
        rows = tuple(Entity.of(row) for row in rows_of(value, "entityData"))
        return Found(total=number_of(as_object(value), "totalRecords"), rows=rows)

    async def opportunities(
        self,
        posted_from: date,
        posted_to: date,
        *,
        title: str | None = None,
        naics: str | None = None,
        kind: str | None = None,
        set_aside: str | None = None,
        organization: str | None = None,
        pages: int = 1,
    ) -> Found[Opportunity]:
        """Notices that were published between two days, at most a year apart, a thousand a page.

        Args:
            posted_from: The first day.
            posted_to: The last day.
            title: Words of the title.
            naics: A NAICS code.
            kind: A letter for the kind of notice, such as `o` for a solicitation.
            set_aside: A code such as `SBA`.
            organization: Name of a department or agency.
            pages: Most pages.

        Raises:
            InvalidRequestError: The days are more than a year apart, or in the wrong order.
        """
        if not posted_from <= posted_to <= posted_from + timedelta(days=_LONGEST - 1):
            raise InvalidRequestError(
                f"From {posted_from} to {posted_to} is no span of at most a year.",
                field="posted_to",
                remedy="SAM.gov takes at most one year at a time: ask for each year by itself.",
            )
        value = await self._search(
            "search_opportunities",
            {
                "postedFrom": written_date(posted_from),
                "postedTo": written_date(posted_to),
                "title": title,
                "ncode": naics,
                "ptype": kind,
                "typeOfSetAside": set_aside,
                "organizationName": organization,
                "limit": _MOST_OPPORTUNITIES,
            },
            pages,
        )
        rows = tuple(Opportunity.of(row) for row in rows_of(value, "opportunitiesData"))
        return Found(total=number_of(as_object(value), "totalRecords"), rows=rows)

    async def organizations(
        self, name: str | None = None, *, active: bool | None = True, pages: int = 1
    ) -> Found[Organization]:
        """Departments and agencies by name, a hundred a page.

        Args:
            name: A name, or a part of it.
            active: Only active ones, only others, or all with None.
            pages: Most pages.
        """
        status = None if active is None else "Active" if active else "Inactive"
        value = await self._search(
            "list_organizations", {"fhorgname": name, "status": status, "limit": _MOST_ORGANIZATIONS}, pages
        )
        return self._organizations(value)

    async def below(self, organization: str, *, pages: int = 1) -> Found[Organization]:
        """The organisations directly below one, by its id in the federal hierarchy."""
        asked: JsonObject = {"fhorgid": organization, "limit": _MOST_ORGANIZATIONS}
        return self._organizations(await self._search("get_hierarchy", asked, pages))

    def _organizations(self, value: Json) -> Found[Organization]:
        rows = tuple(Organization.of(row) for row in rows_of(value, "orglist"))
        return Found(total=number_of(as_object(value), "totalrecords"), rows=rows)

    async def _search(self, tool: str, asked: JsonObject, pages: int) -> Json:
        for name, value in asked.items():
            if isinstance(value, str) and any(sign in value for sign in _FORBIDDEN):
                raise InvalidRequestError(
                    f"SAM.gov takes none of {' '.join(_FORBIDDEN)} in {name}.",
                    field=name,
                    remedy="Leave them out.",
                )
        return await self._api.call(tool, asked, pages=pages)


def written_date(day: date) -> str:
    """A day as SAM.gov writes it: month, day, year."""
    return f"{day.month:02}/{day.day:02}/{day.year:04}"
