"""Simulated vendors: local servers that speak each vendor's wire format, deterministic and scriptable.

For tests, for developing offline, and for benchmarks. They are written from the vendors' published
formats and the types of their SDKs, and share no code with the codecs, so that the two can disagree.

```python
async with OpenAIServer() as vendor:
    vendor.then(Failure.rate_limit(retry_after=1), Say("Hello"))
    ...  # point any client of the vendor at vendor.url
```

| Server | Speaks | Key |
|---|---|---|
| `OpenAIServer` | Responses, and all of the next | bearer token |
| `OpenAIChatServer` | Chat Completions and embeddings, as compatible servers do | bearer token |
| `AnthropicServer` | Messages, and counting of tokens | bearer token or `x-api-key` |
| `MistralServer` | Mistral's chat completions and embeddings | bearer token |
| `CohereServer` | Cohere's chat and embeddings, version 2 | bearer token |

All of them list their models, count requests and connections, and refuse what the vendor refuses: unknown
fields and models, calls without results, thoughts that are not the vendor's own. What a script says goes out
as it is, whole or streamed as the client asks, whether or not the request asked for it; an empty script lets
the server answer for itself. The same script gives the same bytes: ids are counted and times stand still.

- A `Say` is an answer in no vendor's words: text, thoughts, calls, refusals, citations, in the usual order or
  in its own (`parts`), with its finish, usage, tier and log probabilities. It also says how a stream is cut
  into pieces, paced (`gates`), broken off (`fail`, `fail_after`, `cut_after`, `end_mark`) or never ends.
- A `Failure` is an error: `Failure.overloaded()` and its siblings come with each vendor's own status, code
  and words; what is given by hand goes out as it is.
- A `RawReply` is anything at all.

What one vendor can not say is left out: Chat Completions has neither blocks nor sealed thoughts, Messages no
log probabilities. `broken_strict_rules` says what a vendor would refuse of a strict tool's schema. A further
vendor is a `SimulatedVendor` with its paths and its shapes.
"""

from interlock_providers.testing._anthropic import AnthropicServer
from interlock_providers.testing._cohere import CohereServer
from interlock_providers.testing._mistral import MistralServer
from interlock_providers.testing._openai_chat import OpenAIChatServer
from interlock_providers.testing._responses import OpenAIServer
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
from interlock_providers.testing._strict_rules import broken_strict_rules

__all__ = [
    "AnthropicServer",
    "Citation",
    "CohereServer",
    "Declined",
    "Failure",
    "MistralServer",
    "OpenAIChatServer",
    "OpenAIServer",
    "RawBlock",
    "RawReply",
    "Say",
    "Scripted",
    "SimulatedVendor",
    "Spoken",
    "Thought",
    "ToolUse",
    "broken_strict_rules",
]
