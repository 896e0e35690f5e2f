"""Doubles for the seams of core, and a real server on loopback, for the tests of every part.

They are doubles of what a part does not own; a part's own functions are tested for real.
"""

from interlock_core.testing._clock import FakeClock
from interlock_core.testing._doubles import (
    DenyPermit,
    MemoryCatalog,
    MemorySecrets,
    OpenPermit,
    PlainRedactor,
    RecordingGuard,
    RecordingRecorder,
    ScriptedApprover,
    ScriptedExecutor,
    StaticPrices,
    make_call,
)
from interlock_core.testing._postgres import postgres_database
from interlock_core.testing._provider import ScriptedProvider, as_chunks, completion
from interlock_core.testing._server import (
    Answer,
    LoopbackServer,
    ReceivedRequest,
    client_for,
    echo,
    json_answer,
    raw_server,
    sse_answer,
)
from interlock_core.testing._valkey import valkey_url

__all__ = [
    "Answer",
    "DenyPermit",
    "FakeClock",
    "LoopbackServer",
    "MemoryCatalog",
    "MemorySecrets",
    "OpenPermit",
    "PlainRedactor",
    "ReceivedRequest",
    "RecordingGuard",
    "RecordingRecorder",
    "ScriptedApprover",
    "ScriptedExecutor",
    "ScriptedProvider",
    "StaticPrices",
    "as_chunks",
    "client_for",
    "completion",
    "echo",
    "json_answer",
    "make_call",
    "postgres_database",
    "raw_server",
    "sse_answer",
    "valkey_url",
]
