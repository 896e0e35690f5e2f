"""Simulated vendors: local servers that speak each vendor's wire format, deterministic and scriptable.

For tests, for developing offline, and for benchmarks. They are written from the vendors' published
formats and share no code with the codecs, so that the two can disagree.

```python
async with OpenAIChatServer() as vendor:
    vendor.then(Failure.rate_limit(retry_after=1), Say("Hello"))
    ...  # point any client of the dialect at vendor.url
```
"""

from interlock_providers.testing._openai_chat import OpenAIChatServer
from interlock_providers.testing._script import Failure, RawReply, Say, Scripted, ToolUse

__all__ = ["Failure", "OpenAIChatServer", "RawReply", "Say", "Scripted", "ToolUse"]
