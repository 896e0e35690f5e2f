"""What a key stands for after something was taken from its user, or from itself."""

import pytest

from interlock_core.call import Principal
from interlock_core.errors import UnauthenticatedError
from interlock_core.store import Store
from interlock_core.testing import FakeClock
from interlock_security import ApiKeys, KeyRequest, RoleGrants


async def test_a_key_does_not_fall_back_when_its_users_last_role_is_taken_away(
    keys: ApiKeys, grants: RoleGrants, admin: Principal
) -> None:
    """Taking the role of a reader away must not make a developer; granted again, it counts again."""
    made = await keys.create(KeyRequest(name="laptop", user="bob"), by=admin)
    await grants.grant("bob", "readonly", by=admin)
    await grants.revoke("bob", "readonly", by=admin)
    assert (await keys.authenticate(made.text.reveal())).roles == frozenset()
    await grants.grant("bob", "readonly", by=admin)
    keys.forget()
    assert (await keys.authenticate(made.text.reveal())).roles == {"readonly"}
    await keys.aclose()


async def test_a_key_is_renewed_past_what_is_remembered(
    keys: ApiKeys, admin: Principal, store: Store, clock: FakeClock
) -> None:
    """Whom it stands for by now; nobody once it was revoked elsewhere, has expired, or is gone."""
    made = [
        await keys.create(KeyRequest(name="k", user="bob", expires_in_s=seconds), by=admin)
        for seconds in (None, 10, None)
    ]
    revoked, expired, gone = (key.key.id for key in made)
    assert (await keys.renew(revoked)).user == "bob"
    await keys.authenticate(made[0].text.reveal())
    await store.execute("UPDATE keys_api SET revoked_at = 1 WHERE id = ?", (revoked,))
    await store.execute("DELETE FROM keys_api WHERE id = ?", (gone,))
    clock.advance(10)
    for key, why in ((revoked, "revoked"), (expired, "expired"), (gone, "no such")):
        with pytest.raises(UnauthenticatedError, match=why):
            await keys.renew(key)
    with pytest.raises(UnauthenticatedError):
        await keys.authenticate(made[0].text.reveal())
    await keys.aclose()
