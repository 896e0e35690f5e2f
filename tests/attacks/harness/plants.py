"""Places where a secret can stand in what a caller, a document or a vendor says, and how it gets there."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from interlock_core import JsonObject
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import as_array, as_object, parse_json
from interlock_core.testing import Answer, ReceivedRequest, json_answer
from interlock_providers.testing import Say

from .egress import document
from .surfaces import Said, Ways

CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Plant:
    """A secret on its way into a place.

    Attributes:
        place: The house.
        clerk: A key whose calls people must approve.
        value: The secret, as it is written there.
        number: Which plant of the family it is.
    """

    place: Ways
    clerk: str
    value: str
    number: int

    def question(self, **more: object) -> bytes:
        """A question to the model."""
        body = {"model": "stub/small", "messages": [{"role": "user", "content": "hi"}], **more}
        return json.dumps(body).encode()

    async def ask(self, path: str = CHAT, **headers: str) -> Said:
        """A plain question, with headers."""
        return await self.place.ask("POST", path, self.question(), **headers)

    async def management(self, method: str, path: str, body: JsonObject) -> Said:
        """A request to the management interface."""
        return await self.place.ask(method, path, json.dumps(body).encode())


async def _prompted(plant: Plant) -> Said:
    messages = [{"role": "user", "content": f"my key is {plant.value}"}]
    return await plant.place.ask("POST", CHAT, plant.question(messages=messages))


async def _answered(plant: Plant) -> Said:
    plant.place.vendor.then(Say(f"Take {plant.value} and go."))
    return await plant.ask()


async def _described(plant: Plant) -> Said:
    """A document is added whose words hold it; its tool is listed and called."""
    content = document(plant.place.api.url)
    content.pop("security")
    operation = as_object(as_object(as_object(content["paths"])["/one"])["get"])
    operation["description"] = f"Send {plant.value} along."
    file = plant.place.folder / f"described{plant.number}.toml"
    file.write_text(json.dumps(content), "utf-8")
    tools = plant.place.runtime.tools
    namespace = f"d{plant.number}"
    try:
        await tools.add(str(file), namespace=namespace, base_url=plant.place.api.url, credential="", allow=())
    except InvalidRequestError as error:
        return Said(error.status, error.code, str(error))
    finally:
        file.unlink()
    return await plant.place.mcp(f"{namespace}.one")


def _told(status: int) -> Callable[[Plant], Awaitable[Said]]:
    """An API that answers with it."""

    async def tell(plant: Plant) -> Said:
        before = plant.place.api.handler

        def answer(_: ReceivedRequest) -> Answer:
            return json_answer({"note": f"use {plant.value}"}, status=status)

        plant.place.api.handler = answer
        said = await plant.place.mcp("gate.save", {"text": str(plant.number)})
        plant.place.api.handler = before
        return said

    return tell


async def _raised(plant: Plant) -> Said:
    """The reason for a limit that is raised for a while."""
    await plant.management("PUT", "/api/quotas", {"scope": "user", "name": "zoe", "day_usd": 1.0})
    body: JsonObject = {"scope": "user", "name": "zoe", "period": "day", "usd": 2.0, "reason": plant.value}
    return await plant.management("POST", "/api/quotas/overrides", {**body, "until": time.time() + 600})


async def _approved(plant: Plant) -> Said:
    """A call waits for people, and one of them says why they let it pass; then once more without it."""
    await plant.place.mcp("gate.save", {"text": f"approve {plant.number}"}, key=plant.clerk)
    listed = as_object(parse_json((await plant.place.ask("GET", "/api/approvals")).text))
    (waiting,) = [as_object(entry) for entry in as_array(listed["items"])]
    said = await plant.management("POST", f"/api/approvals/{waiting['id']}/approve", {"reason": plant.value})
    done = await plant.management("POST", f"/api/approvals/{waiting['id']}/approve", {"reason": "read"})
    again = await plant.place.mcp("gate.save", {"text": f"approve {plant.number}"}, key=plant.clerk)
    assert (done.status, again.status) == (200, 0), (done, again)
    return said


async def _uploaded(plant: Plant) -> Said:
    body = (
        f'--x\r\ncontent-disposition: form-data; name="file"; filename="{plant.value}"\r\n\r\nhi\r\n--x--\r\n'
    )
    kind = "multipart/form-data; boundary=x"
    return await plant.place.ask("POST", "/v1/files", body.encode(), content_type=kind)


async def _commented(plant: Plant) -> Said:
    return await plant.management("POST", "/api/feedback", {"run": "run_1", "comment": plant.value})


PLACES: Mapping[str, Callable[[Plant], Awaitable[Said]]] = {
    "name of a key": lambda plant: plant.management("POST", "/api/keys", {"name": plant.value}),
    "name of a user": lambda plant: plant.management("POST", "/api/users", {"name": plant.value}),
    "note of a quota": _raised,
    "description of a tool": _described,
    "argument of a tool": lambda plant: plant.place.mcp("gate.save", {"text": f"hide {plant.value}"}),
    "answer of a tool": _told(200),
    "error of a tool": _told(400),
    "prompt": _prompted,
    "answer of the model": _answered,
    "tags header": lambda plant: plant.ask(x_interlock_tags=f"t={plant.value}"),
    "idempotency key": lambda plant: plant.ask(idempotency_key=plant.value),
    "header of the client": lambda plant: plant.ask(x_own=plant.value, x_interlock_task=plant.value),
    "query of the address": lambda plant: plant.ask(f"{CHAT}?api_key={quote(plant.value)}"),
    "body that is no JSON": lambda plant: plant.place.ask("POST", CHAT, plant.value.encode()),
    "name of a file in an upload": _uploaded,
    "metadata of a request": lambda plant: plant.place.ask(
        "POST", CHAT, plant.question(metadata={"note": plant.value}, user=plant.value)
    ),
    "comment of feedback": _commented,
    "reason of an approval": _approved,
    "path of an unknown address": lambda plant: plant.place.ask("GET", f"/{quote(plant.value, safe='')}"),
    "user-agent": lambda plant: plant.ask(user_agent=plant.value),
}
"""How a secret gets into each place."""
