"""`/api/alerts`: what looked suspicious."""

from pydantic import Field

from interlock_api.manage._frame import House, JsonFields, Page, Paging, Shown, area, needs

router = area("alerts")


class Suspicion(Shown):
    """One alert."""

    id: str = Field(description="Its id.")
    kind: str = Field(description="What looked suspicious, such as `refusals` or `new-network`.")
    subject: str = Field(description="Whom it names: a user, an agent, the id of a key, an address.")
    at: float = Field(description="When, in seconds since 1970.")
    message: str = Field(description="One sentence.")
    data: JsonFields = Field(description="The figures behind it.")


@router.get("", dependencies=[needs("alerts.read")], summary="List alerts")
async def list_alerts(house: House, paging: Paging) -> Page[Suspicion]:
    """Alerts, the newest first."""
    found = await house.alerts.page(paging.limit, after=paging.after)
    items = [Suspicion.model_validate(item) for item in found.items]
    return paging.made(items, more=found.more, key=_id)


def _id(alert: Suspicion) -> str:
    return alert.id
