"""The management interface: `/api/…`, described at `/openapi.json`.

To add an area, such as quotas:

1. Write `manage/quotas.py` with `router = area("quotas", "What it is for.")` from `_frame`.
2. Write routes: `@router.get("", dependencies=[needs("quotas.read")])`. Every route states one `needs(…)`, or
   `signed_in` where any key may ask and the function itself shows only what is the caller's own; a route
   without one cannot be made.
3. Take what a route works with as parameters: `house: House` (the `Runtime`), `caller: Caller` (the
   `Principal` of the key; nothing of the body says who asks), `paging: Paging` for lists.
4. Bodies are subclasses of `Body`: an unknown field is refused, each field has its description. Answers are
   subclasses of `Shown`; a list is `Page[Item]`, made by `paging.page(items, key=…)` or `paging.made(…)`.
5. Raise `InterlockError`s; they leave as problem details (RFC 9457). Hold no business logic here: call the
   runtime, by the same call as the command line.
6. Add the router to `_ROUTERS` in `_app.py`: one line. The role and endpoint matrix finds it by itself, and
   its table of expectations (`tests/attacks/roles.toml`) asks for a line of the new area.
"""

from interlock_api.manage._app import management_app

__all__ = ["management_app"]
