"""Assertions for your own policies, and a second evaluator to hold the first one against.

```python
from interlock_security.testing import assert_allowed, assert_denied

assert_allowed("config.toml", "alice", "github.issues_create", arguments={"owner": "acme"})
assert_denied("config.toml", "alice", "github.repos_delete", effect="destructive")
```
"""

from interlock_security.testing._census import Census
from interlock_security.testing._policy import (
    PolicyCase,
    PolicyUnderTest,
    assert_allowed,
    assert_cases,
    assert_denied,
    assert_needs_approval,
)
from interlock_security.testing._reference import ReferencePolicy, ReferenceQuestion

__all__ = [
    "Census",
    "PolicyCase",
    "PolicyUnderTest",
    "ReferencePolicy",
    "ReferenceQuestion",
    "assert_allowed",
    "assert_cases",
    "assert_denied",
    "assert_needs_approval",
]
