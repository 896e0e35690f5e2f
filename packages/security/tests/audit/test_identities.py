"""Personal data is hidden in records, but for who did something, and to whom."""

from pathlib import Path

import pytest

from interlock_core.call import Call, CallKind, Principal
from interlock_core.store import Store
from interlock_security import BRANCH, AuditLog, Detection, KnownSecretRedactor

ADA = Principal(user="ada@example.org", roles=frozenset({"admin"}))


@pytest.mark.promise("A4")
async def test_who_did_it_stays_and_what_it_was_about_is_hidden(tmp_path: Path) -> None:
    """A user's name may be a mail address; one among the arguments of a tool is somebody's data."""
    async with await Store.open("sqlite://", branches=[BRANCH]) as store:
        audit = AuditLog(
            store, home=tmp_path, witness=None, redactor=KnownSecretRedactor(detection=Detection())
        )
        call = Call(
            id="c1", kind=CallKind.TOOL, name="mail.send", principal=ADA, arguments={"to": "bob@example.org"}
        )
        await audit.intent(call)
        async with audit.change("roles.grant", ADA, {"user": "eve@example.org", "note": "bob@example.org"}):
            pass
        said = "\n".join(str(record.data) for record in await audit.tail(10))
        await audit.aclose()
    assert "ada@example.org" in said
    assert "eve@example.org" in said
    assert "bob@example.org" not in said
    assert "[redacted:email]" in said
