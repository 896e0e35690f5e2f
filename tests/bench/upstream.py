"""A model's server on loopback that answers one word, and knows when a request has come."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from types import TracebackType

HEAD = '"id":"chatcmpl-bench","created":0,"model":"echo"'
USAGE = '"usage":{"prompt_tokens":8,"completion_tokens":1,"total_tokens":9}'
MESSAGE = '{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}'
WORD = '{"index":0,"delta":{"role":"assistant","content":"Hello."},"finish_reason":null}'
END = '{"index":0,"delta":{},"finish_reason":"stop"}'

WHOLE = f'{{{HEAD},"object":"chat.completion","choices":[{MESSAGE}],{USAGE}}}'.encode()
STREAMED = "".join(
    f"data: {event}\n\n"
    for event in (
        f'{{{HEAD},"object":"chat.completion.chunk","choices":[{WORD}]}}',
        f'{{{HEAD},"object":"chat.completion.chunk","choices":[{END}]}}',
        f'{{{HEAD},"object":"chat.completion.chunk","choices":[],{USAGE}}}',
        "[DONE]",
    )
).encode()


class Upstream:
    """Speaks Chat Completions, whole and streamed; used as a context manager."""

    def __init__(self) -> None:
        self._arrived: Queue[Event] = Queue()
        arrived = self._arrived

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                measured = Event()
                arrived.put(measured)
                measured.wait(60)
                content_type, answer = _answer(stream=bool(body.get("stream")))
                self.send_response(200)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Says nothing: the report is on the same screen."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Upstream":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def cpu_ms_on_request(self, pid: int) -> float:
        """Waits for the next request, and reads what the process has spent until then, in milliseconds.

        The answer is held back until the figure is read. Needs Linux, where a thread's time is in /proc.
        """
        measured = self._arrived.get(timeout=60)
        threads = Path("/proc", str(pid), "task").glob("*/schedstat")
        spent = sum(int(thread.read_text().split()[0]) for thread in threads)
        measured.set()
        return spent / 1e6


def _answer(*, stream: bool) -> tuple[str, bytes]:
    """The media type and the body of the answer."""
    return ("text/event-stream", STREAMED) if stream else ("application/json", WHOLE)
