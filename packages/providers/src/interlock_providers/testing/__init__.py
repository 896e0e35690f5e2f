"""Simulated vendors: local servers that speak each vendor's wire format, deterministic and scriptable.

For tests, for developing offline, and for benchmarks. They are written from the vendors' published
formats and share no code with the codecs, so that the two can disagree.

```python
async with OpenAIChatServer() as vendor:
    vendor.then(Failure.rate_limit(retry_after=1), Say("Hello"))
    ...  # point any client of the dialect at vendor.url
```
"""

from interlock_providers.testing._anthropic import AnthropicServer
from interlock_providers.testing._mistral import MistralServer
from interlock_providers.testing._openai_chat import OpenAIChatServer
from interlock_providers.testing._script import (
    Citation,
    Declined,
    Failure,
    RawBlock,
    RawReply,
    Say,
    Scripted,
    Spoken,
    Thought,
    ToolUse,
)
from interlock_providers.testing._server import SimulatedVendor

__all__ = [
    "AnthropicServer",
    "Citation",
    "Declined",
    "Failure",
    "MistralServer",
    "OpenAIChatServer",
    "RawBlock",
    "RawReply",
    "Say",
    "Scripted",
    "SimulatedVendor",
    "Spoken",
    "Thought",
    "ToolUse",
]
