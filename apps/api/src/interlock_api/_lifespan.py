"""Start and end of the application as ASGI tells them; the runtime is opened and closed around the server."""

from interlock_api._asgi import Receive, Send


async def lifespan(receive: Receive, send: Send) -> None:
    """Answer the server's start and shutdown."""
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif event["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
