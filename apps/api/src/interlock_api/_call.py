"""The guarded call that a request is, with what its headers say."""

from interlock_api._asgi import Request
from interlock_core import Audience, Call, CallKind, Money, Principal, Redactor, new_id
from interlock_core.errors import InvalidRequestError, UnsupportedError

_TAGS = 16
_LENGTH = 64


def call_of(request: Request, principal: Principal, model: str, redactor: Redactor) -> Call:
    """The call; a secret that stands in a header is not carried on.

    Raises:
        InvalidRequestError: A header cannot be read.
        UnsupportedError: A header asks for what this version does not do.
    """
    if request.header("idempotency-key") is not None:
        raise UnsupportedError(
            "This version does not remember requests by their key.",
            field="idempotency-key",
            remedy="Leave the header out.",
        )
    run = new_id("run")
    return Call(
        id=new_id("call"),
        kind=CallKind.MODEL,
        name=model,
        principal=principal,
        run=run,
        tags=_tags(request.header("x-interlock-tags")),
        cost_bound=_cost_bound(request.header("x-interlock-max-cost-usd")),
        task=_word(request, "x-interlock-task", redactor),
        policy=_word(request, "x-interlock-policy", redactor),
        trace_id=run,
    )


def _word(request: Request, header: str, redactor: Redactor) -> str | None:
    text = request.header(header)
    if text is None:
        return None
    if text.isprintable() and 0 < len(text) <= _LENGTH:
        # It becomes a label of metrics, which are kept, and shown to whoever may see figures.
        return redactor.text(text, toward=Audience.MODEL)
    raise InvalidRequestError(
        f"The name is empty, or longer than {_LENGTH} characters.", field=header, remedy="Send a short word."
    )


def _cost_bound(text: str | None) -> Money | None:
    if text is None:
        return None
    try:
        bound = Money.usd(text)
    except InvalidRequestError as error:
        error.field = "x-interlock-max-cost-usd"
        raise
    if bound.micro_usd < 0:
        raise InvalidRequestError(
            "The bound is negative.", field="x-interlock-max-cost-usd", remedy="Give dollars, 0 or more."
        )
    return bound


def _tags(text: str | None) -> dict[str, str]:
    """Labels as `name=value, name=value`."""
    if not text:
        return {}
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    tags = {name.strip(): value.strip() for name, _, value in pairs}
    longest = max((len(part) for pair in tags.items() for part in pair), default=0)
    if len(pairs) > _TAGS or longest > _LENGTH or not all(tags):
        raise InvalidRequestError(
            f"There are more than {_TAGS} tags, or one has no name or more than {_LENGTH} characters.",
            field="x-interlock-tags",
            remedy="Write name=value, name=value.",
        )
    return tags
