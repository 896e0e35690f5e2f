"""Records, telemetry and anomaly alerts, as the runtime joins them."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from interlock_core.errors import ConfigurationError, InvalidRequestError
from interlock_runtime import Asked, Runtime, Settings
from interlock_runtime.settings import AlertSettings, TelemetrySettings

NOTHING: dict[str, str] = {}


class Listener:
    """Somebody who is sent things over HTTP."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bytes]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                listener.sent.append((self.path, self.headers.get("x-key", ""), body))
                self.send_response(200)
                self.end_headers()

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                del code, size

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A collector, or the end of a webhook."""
    found = Listener()
    yield found
    found.close()


@pytest.mark.promise("M3")
async def test_spans_are_sent_where_the_settings_say_and_hold_no_words(
    make: Callable[..., Settings], listener: Listener
) -> None:
    """With the secret as the header; neither it nor the prompt is in what is sent."""
    telemetry = TelemetrySettings(
        otlp_endpoint=listener.url, otlp_header="x-key", otlp_secret="env:COLLECTOR", service="gate"
    )
    async with Runtime.open(make(telemetry=telemetry), environment={"COLLECTOR": "hunter2-key"}) as runtime:
        await runtime.ask("canary words", model="acme/small")
        assert runtime.redactor.text("hunter2-key") != "hunter2-key"
    paths = {path for path, _, _ in listener.sent}
    assert paths == {"/v1/traces", "/v1/metrics"}
    assert {key for _, key, _ in listener.sent} == {"hunter2-key"}
    bodies = b"".join(body for _, _, body in listener.sent)
    assert b"chat acme/small" in bodies
    assert b"canary" not in bodies
    assert b"hunter2" not in bodies


@pytest.mark.promise("M3")
async def test_without_an_address_nothing_of_opentelemetry_is_made(make: Callable[..., Settings]) -> None:
    """Off until it is configured."""
    async with Runtime.open(make(), environment=NOTHING) as runtime:
        assert [type(guard).__name__ for guard in runtime.records.guards] == ["MetricsGuard"]


async def test_an_address_that_is_none_is_named(make: Callable[..., Settings]) -> None:
    """With the setting that holds it."""
    wrong = make(telemetry=TelemetrySettings(otlp_endpoint="localhost:4318"))
    with pytest.raises(ConfigurationError, match="collector") as caught:
        async with Runtime.open(wrong, environment=NOTHING):
            pass
    assert caught.value.field == "telemetry.otlp_endpoint"


@pytest.mark.promise("M4")
async def test_a_running_server_looks_for_anomalies_and_tells_the_webhook(
    make: Callable[..., Settings], listener: Listener
) -> None:
    """What another process found and did not tell is told at the first look."""
    settings = make(alerts=AlertSettings(webhook=f"{listener.url}/hook"))
    async with Runtime.open(settings, environment=NOTHING) as runtime:
        data = {"id": "anomaly_1", "kind": "anomaly-cost", "message": "Cost an hour is unusually high."}
        store = runtime._store  # pyright: ignore[reportPrivateUsage] - plays a process that died
        await store.execute(
            "INSERT INTO metrics_anomalies (id, at, measure, data, told) VALUES (?, ?, ?, ?, 0)",
            ("anomaly_1", 1, "cost", json.dumps(data)),
        )
        tending = asyncio.ensure_future(runtime.tend())
        async with asyncio.timeout(30):
            while not listener.sent:
                await runtime.records.anomalies()
        tending.cancel()
        await asyncio.wait([tending])
        assert [item["id"] for item in await runtime.records.anomalies()] == ["anomaly_1"]
    assert json.loads(listener.sent[0][2])["kind"] == "anomaly-cost"


async def test_where_nothing_is_to_be_watched_tending_ends_at_once(make: Callable[..., Settings]) -> None:
    """By its own setting, or because nothing is counted."""
    for settings in (
        make(alerts=AlertSettings(anomalies=False)),
        make(telemetry=TelemetrySettings(metrics=False)),
    ):
        async with Runtime.open(settings, environment=NOTHING) as runtime:
            tending = asyncio.ensure_future(runtime.records.tend())
            await tending
            assert tending.done()


async def test_a_range_that_ends_before_it_begins_is_refused(make: Callable[..., Settings]) -> None:
    """Whatever is asked of it."""
    async with Runtime.open(make(), environment=NOTHING) as runtime:
        for ask in (runtime.records.stats, runtime.records.win_rates, runtime.records.curve):
            with pytest.raises(InvalidRequestError, match="ends before"):
                await ask(Asked(since_s=60, until_s=120))
