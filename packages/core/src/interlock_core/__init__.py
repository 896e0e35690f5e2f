"""The vocabulary, protocols and foundations that every part of Interlock stands on.

Parts meet through what is exported here and never import each other. The store lives in
`interlock_core.store`, outbound HTTP in `interlock_core.http`, retry and breaker in
`interlock_core.resilience`, JSON Schema validation in `interlock_core.schema`; they are imported by
those who need them, because start-up time is measured. For the same reason the vocabulary's own modules
are imported when one of their names is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interlock_core.call import Budget, Call, CallKind, Ending, Outcome, Principal, Taint, Verdict
    from interlock_core.clock import Clock, SystemClock
    from interlock_core.completion import (
        Chunk,
        Completion,
        CompletionRequest,
        Embeddings,
        FinishReason,
        ResponseFormat,
        ToolCallDelta,
        ToolChoice,
        Usage,
        WireBytes,
    )
    from interlock_core.decision import Candidate, RouteDecision
    from interlock_core.ids import new_id
    from interlock_core.jsontypes import Json, JsonObject
    from interlock_core.messages import (
        Audio,
        CacheHint,
        Content,
        File,
        Image,
        Message,
        Reasoning,
        Refusal,
        Role,
        Text,
        ToolCall,
        ToolResult,
    )
    from interlock_core.models import FREE, Capability, ModelInfo, Price
    from interlock_core.money import Money
    from interlock_core.protocols import (
        Approval,
        Approver,
        Audience,
        Guard,
        Notifier,
        Performance,
        PerformanceSource,
        Permit,
        Prepared,
        PriceBook,
        Provider,
        Recorder,
        Redactor,
        Runner,
        Sandbox,
        SandboxResult,
        SecretStore,
        StreamRedactor,
        TokenCount,
        TokenCounter,
        ToolCatalog,
        ToolExecutor,
    )
    from interlock_core.run import Event, EventKind, RunRequest, RunResult, Step, StopReason
    from interlock_core.secret import Secret
    from interlock_core.toolspec import Effect, HttpRequest, ToolSpec

__all__ = [
    "FREE",
    "Approval",
    "Approver",
    "Audience",
    "Audio",
    "Budget",
    "CacheHint",
    "Call",
    "CallKind",
    "Candidate",
    "Capability",
    "Chunk",
    "Clock",
    "Completion",
    "CompletionRequest",
    "Content",
    "Effect",
    "Embeddings",
    "Ending",
    "Event",
    "EventKind",
    "File",
    "FinishReason",
    "Guard",
    "HttpRequest",
    "Image",
    "Json",
    "JsonObject",
    "Message",
    "ModelInfo",
    "Money",
    "Notifier",
    "Outcome",
    "Performance",
    "PerformanceSource",
    "Permit",
    "Prepared",
    "Price",
    "PriceBook",
    "Principal",
    "Provider",
    "Reasoning",
    "Recorder",
    "Redactor",
    "Refusal",
    "ResponseFormat",
    "Role",
    "RouteDecision",
    "RunRequest",
    "RunResult",
    "Runner",
    "Sandbox",
    "SandboxResult",
    "Secret",
    "SecretStore",
    "Step",
    "StopReason",
    "StreamRedactor",
    "SystemClock",
    "Taint",
    "Text",
    "TokenCount",
    "TokenCounter",
    "ToolCall",
    "ToolCallDelta",
    "ToolCatalog",
    "ToolChoice",
    "ToolExecutor",
    "ToolResult",
    "ToolSpec",
    "Usage",
    "Verdict",
    "WireBytes",
    "new_id",
]

# In the order of dependence, so that looking for a name imports little that its module would not.
_HOMES = (
    "clock",
    "ids",
    "jsontypes",
    "secret",
    "toolspec",
    "money",
    "messages",
    "decision",
    "completion",
    "call",
    "models",
    "run",
    "protocols",
)

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in __all__:
            for home in _HOMES:
                module = import_module(f"{__name__}.{home}")
                if hasattr(module, name):
                    value: object = getattr(module, name)
                    globals()[name] = value
                    return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
