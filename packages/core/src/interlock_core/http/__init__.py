"""Outbound HTTP: one client, and the egress guard below it.

```python
async with HttpClient(egress=Egress(allowed_origins=["http://127.0.0.1:9999"])) as client:
    answer = await client.send(HttpRequest(method="GET", url="http://127.0.0.1:9999/status"))
```
"""

from interlock_core.http._client import HttpClient, HttpStream
from interlock_core.http._egress import Egress, Resolver
from interlock_core.http._types import HttpLimits, HttpResponse
from interlock_core.http._url import origin_of

__all__ = ["Egress", "HttpClient", "HttpLimits", "HttpResponse", "HttpStream", "Resolver", "origin_of"]
