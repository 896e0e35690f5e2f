"""How APIs say that there is a next page: the forms in use, as documents and answers write them. No code.

Each case is one operation (query parameters of a `GET`, or properties of a `POST` body), the arguments of a
call, one answer, and what leads on: arguments, an address, or nothing. Written from the public references
that the cases name.
"""

from dataclasses import dataclass, field

from interlock_core.jsontypes import Json, JsonObject

INTEGER: JsonObject = {"type": "integer"}
TEXT: JsonObject = {"type": "string"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One answer and what comes after it.

    Attributes:
        form: Whose form it is.
        takes: The parameters of the operation, with their schemas.
        given: Arguments of the call.
        body: The answer's body.
        headers: The answer's headers. `{url}` stands for the address of the server.
        then: The arguments that lead on; None when nothing does.
        address: The address that leads on, without the server's, when arguments do not.
        described: Descriptions of parameters.
        posts: The parameters stand in the body of a `POST` that only reads.
    """

    form: str
    takes: dict[str, JsonObject]
    body: Json
    then: JsonObject | None
    given: JsonObject = field(default_factory=dict[str, Json])
    headers: tuple[tuple[str, str], ...] = ()
    address: str = ""
    described: dict[str, str] = field(default_factory=dict[str, str])
    posts: bool = False


PAGE = {"page": INTEGER, "per_page": INTEGER}
OFFSET = {"offset": INTEGER, "limit": INTEGER}
THREE: list[Json] = [{"id": 1}, {"id": 2}, {"id": 3}]


def link(text: str) -> tuple[tuple[str, str], ...]:
    """A `Link` header."""
    return (("Link", text),)


CASES: tuple[Case, ...] = (
    # RFC 8288
    Case(
        form="GitHub: Link",
        takes=PAGE,
        body=THREE,
        headers=link('<{url}/x?page=2>; rel="next", <{url}/x?page=9>; rel="last"'),
        then={"page": 2},
    ),
    Case(
        form="Link: the last page has none",
        takes=PAGE,
        body=THREE,
        headers=link('<{url}/x?page=1>; rel="first"'),
        then=None,
    ),
    Case(
        form="Link: rel without quotes",
        takes=PAGE,
        body=THREE,
        headers=link("<{url}/x?page=4>; rel=next"),
        given={"page": 3},
        then={"page": 4},
    ),
    Case(
        form="Link: several relations",
        takes=PAGE,
        body=THREE,
        headers=link('<{url}/x?page=4>; rel="last next"'),
        then={"page": 4},
    ),
    Case(
        form="Link: other parameters first",
        takes=PAGE,
        body=THREE,
        headers=link('<{url}/x?page=4>; title="a, b; c"; rel="next"'),
        then={"page": 4},
    ),
    Case(
        form="Link: relative",
        takes=PAGE,
        body=THREE,
        headers=link('</x?page=4>; rel="next"'),
        then={"page": 4},
    ),
    Case(
        form="Link: commas in the address",
        takes={"page": INTEGER, "ids": TEXT},
        given={"ids": "1,2"},
        body=THREE,
        headers=link('<{url}/x?ids=1,2&page=2>; rel="next"'),
        then={"page": 2},
    ),
    Case(
        form="Link: two headers",
        takes=PAGE,
        body=THREE,
        headers=(*link('<{url}/x?page=9>; rel="last"'), *link('<{url}/x?page=2>; rel="next"')),
        then={"page": 2},
    ),
    Case(
        form="Link: a cursor that the document does not have",
        takes={"limit": INTEGER},
        body=THREE,
        headers=link('<{url}/x?after=abc>; rel="next"'),
        then={},
        address="/x?after=abc",
    ),
    Case(
        form="Link: another server",
        takes=PAGE,
        body=THREE,
        headers=link('<https://evil.example/x?page=2>; rel="next"'),
        then=None,
    ),
    Case(
        form="Link: another scheme",
        takes=PAGE,
        body=THREE,
        headers=link('<file:///etc/passwd?page=2>; rel="next"'),
        then=None,
    ),
    Case(
        form="Link: another path of the server gives its arguments alone",
        takes=PAGE,
        body=THREE,
        headers=link('<{url}/admin?page=2>; rel="next"'),
        then={"page": 2},
    ),
    Case(
        form="Link: another path with a cursor that is not known",
        takes=PAGE,
        body=THREE,
        headers=link('<{url}/admin?token=2>; rel="next"'),
        then=None,
    ),
    Case(
        form="Link: another path that the document has not",
        takes=PAGE,
        body=THREE,
        headers=link('<{url}/admin/export>; rel="next"'),
        then=None,
    ),
    Case(
        form="Link: dots",
        takes={},
        body=THREE,
        headers=link('<{url}/x/../admin?token=2>; rel="next"'),
        then=None,
    ),
    Case(form="Link: what means nothing", takes=PAGE, body=THREE, headers=link("next page: 2"), then=None),
    Case(
        form="Link: the same page again",
        takes=PAGE,
        given={"page": 2},
        body=THREE,
        headers=link('<{url}/x?page=2>; rel="next"'),
        then=None,
    ),
    # addresses in the body
    Case(
        form="OData",
        takes={"$skiptoken": TEXT, "$top": INTEGER},
        body={"@odata.nextLink": "{url}/x?$skiptoken=abc", "value": THREE},
        then={"skiptoken": "abc"},
    ),
    Case(
        form="OData, a token that the document does not have",
        takes={},
        body={"@odata.nextLink": "{url}/x?%24skiptoken=abc", "value": THREE},
        then={},
        address="/x?%24skiptoken=abc",
    ),
    Case(
        form="HAL",
        takes=PAGE,
        body={
            "_links": {"self": {"href": "/x"}, "next": {"href": "/x?page=2"}},
            "_embedded": {"things": THREE},
        },
        then={"page": 2},
    ),
    Case(
        form="HAL, the end",
        takes=PAGE,
        body={"_links": {"self": {"href": "/x"}}, "_embedded": {"things": THREE}},
        then=None,
    ),
    Case(
        form="JSON:API",
        takes={"page[number]": INTEGER},
        body={"data": THREE, "links": {"next": "{url}/x?page%5Bnumber%5D=2"}},
        then={"page_number": 2},
    ),
    Case(
        form="JSON:API, an object",
        takes={"page[after]": TEXT},
        body={"data": THREE, "links": {"next": {"href": "{url}/x?page%5Bafter%5D=k"}}},
        then={"page_after": "k"},
    ),
    Case(
        form="JSON:API, the end",
        takes={"page[number]": INTEGER},
        body={"data": THREE, "links": {"next": None}},
        then=None,
    ),
    Case(
        form="Django REST framework",
        takes=OFFSET,
        body={"count": 9, "next": "{url}/x?limit=3&offset=3", "previous": None, "results": THREE},
        given={"limit": 3},
        then={"offset": 3},
    ),
    Case(
        form="Azure",
        takes={},
        body={"value": THREE, "nextLink": "{url}/x?token=2"},
        then={},
        address="/x?token=2",
    ),
    Case(
        form="Graph of social networks",
        takes={"after": TEXT},
        body={"data": THREE, "paging": {"cursors": {"before": "a", "after": "b"}, "next": "{url}/x?after=b"}},
        then={"after": "b"},
    ),
    # cursors
    Case(
        form="Slack",
        takes={"cursor": TEXT, "limit": INTEGER},
        body={"ok": True, "channels": THREE, "response_metadata": {"next_cursor": "dXNlcjpV"}},
        then={"cursor": "dXNlcjpV"},
    ),
    Case(
        form="Slack, the end",
        takes={"cursor": TEXT},
        body={"ok": True, "channels": THREE, "response_metadata": {"next_cursor": ""}},
        then=None,
    ),
    Case(
        form="Google",
        takes={"pageToken": TEXT, "pageSize": INTEGER},
        body={"files": THREE, "nextPageToken": "t2"},
        then={"pageToken": "t2"},
    ),
    Case(
        form="Google, snake case",
        takes={"page_token": TEXT},
        body={"items": THREE, "next_page_token": "t2"},
        then={"page_token": "t2"},
    ),
    Case(
        form="AWS",
        takes={"NextToken": TEXT},
        body={"Items": THREE, "NextToken": "t2"},
        then={"NextToken": "t2"},
    ),
    Case(
        form="AWS, a marker",
        takes={"Marker": TEXT},
        body={"Functions": THREE, "NextMarker": "m2"},
        then={"Marker": "m2"},
    ),
    Case(
        form="Kubernetes",
        takes={"continue": TEXT, "limit": INTEGER},
        body={"kind": "PodList", "metadata": {"continue": "c2", "remainingItemCount": 4}, "items": THREE},
        then={"continue": "c2"},
    ),
    Case(
        form="Stripe",
        takes={"starting_after": TEXT, "limit": INTEGER},
        body={"object": "list", "data": [{"id": "ch_1"}, {"id": "ch_2"}], "has_more": True},
        then={"starting_after": "ch_2"},
    ),
    Case(
        form="Stripe, the end",
        takes={"starting_after": TEXT, "limit": INTEGER},
        given={"limit": 2},
        body={"object": "list", "data": [{"id": "ch_1"}, {"id": "ch_2"}], "has_more": False},
        then=None,
    ),
    Case(
        form="Notion, in the body",
        takes={"start_cursor": TEXT, "page_size": INTEGER},
        body={"results": THREE, "has_more": True, "next_cursor": "n2"},
        then={"start_cursor": "n2"},
        posts=True,
    ),
    Case(
        form="Notion, the end",
        takes={"start_cursor": TEXT},
        body={"results": THREE, "has_more": False, "next_cursor": None},
        then=None,
        posts=True,
    ),
    Case(
        form="Zendesk",
        takes={"page[after]": TEXT},
        body={"tickets": THREE, "meta": {"has_more": True, "after_cursor": "x", "next_cursor": "z2"}},
        then={"page_after": "z2"},
    ),
    Case(
        form="Intercom",
        takes={"starting_after": TEXT, "per_page": INTEGER},
        body={"data": THREE, "pages": {"next": {"page": 2, "starting_after": "i2"}}},
        then={"starting_after": "i2"},
    ),
    Case(
        form="a page's own cursor is not the next one",
        takes={"cursor": TEXT},
        given={"cursor": "c1"},
        body={"items": THREE, "cursor": "c1"},
        then=None,
    ),
    Case(
        form="the number of the next page",
        takes=PAGE,
        body={"items": THREE, "next_page": 2},
        then={"page": 2},
    ),
    Case(
        form="the number of the next page, nested",
        takes=PAGE,
        body={"items": THREE, "meta": {"next_page": 3}},
        given={"page": 2},
        then={"page": 3},
    ),
    Case(
        form="a cursor that goes on although has_more is not said",
        takes={"cursor": TEXT},
        body={"items": THREE, "pagination": {"next_cursor": "p2"}},
        then={"cursor": "p2"},
    ),
    Case(
        form="a cursor that no parameter takes",
        takes={"q": TEXT},
        body={"items": THREE, "next_cursor": "p2"},
        then=None,
    ),
    # counting
    Case(
        form="Jira",
        takes={"startAt": INTEGER, "maxResults": INTEGER},
        body={"startAt": 0, "maxResults": 3, "total": 7, "issues": THREE},
        then={"startAt": 3},
    ),
    Case(
        form="Jira, the end",
        takes={"startAt": INTEGER, "maxResults": INTEGER},
        given={"startAt": 4},
        body={"startAt": 4, "maxResults": 3, "total": 7, "issues": THREE},
        then=None,
    ),
    Case(
        form="offset without a total, a full page",
        takes=OFFSET,
        given={"limit": 3, "offset": 6},
        body=THREE,
        then={"offset": 9},
    ),
    Case(
        form="offset without a total, a short page", takes=OFFSET, given={"limit": 5}, body=THREE, then=None
    ),
    Case(form="offset, nothing more to be known", takes=OFFSET, body=THREE, then=None),
    Case(form="offset, an empty page", takes=OFFSET, given={"limit": 3, "offset": 6}, body=[], then=None),
    Case(
        form="page, the number of pages",
        takes=PAGE,
        given={"page": 2},
        body={"items": THREE, "total_pages": 3},
        then={"page": 3},
    ),
    Case(
        form="page, the last of them",
        takes=PAGE,
        given={"page": 3},
        body={"items": THREE, "total_pages": 3},
        then=None,
    ),
    Case(
        form="page, a total",
        takes=PAGE,
        given={"per_page": 3},
        body={"items": THREE, "total": 7},
        then={"page": 2},
    ),
    Case(
        form="page, a total that is reached",
        takes=PAGE,
        given={"per_page": 3, "page": 3},
        body={"items": THREE, "total": 7},
        then=None,
    ),
    Case(
        form="page, a full page without a total",
        takes=PAGE,
        given={"per_page": 3},
        body=THREE,
        then={"page": 2},
    ),
    Case(
        form="page, the document's own size",
        takes={"page": INTEGER, "per_page": {"type": "integer", "default": 3}},
        body=THREE,
        then={"page": 2},
    ),
    Case(form="page, a short page", takes=PAGE, given={"per_page": 30}, body=THREE, then=None),
    Case(form="GitLab, headers", takes=PAGE, body=THREE, headers=(("X-Total-Pages", "2"),), then={"page": 2}),
    Case(
        form="SAM.gov: an offset that is the index of a page",
        takes=OFFSET,
        described={"offset": "Indicates the page index. Default offset starts with 0."},
        given={"limit": 3},
        body={"totalRecords": 7, "limit": 3, "offset": 0, "opportunitiesData": THREE},
        then={"offset": 1},
    ),
    Case(
        form="SAM.gov, the last page",
        takes=OFFSET,
        described={"offset": "Indicates the page index."},
        given={"limit": 3, "offset": 2},
        body={"totalRecords": 7, "opportunitiesData": [{"id": 7}]},
        then=None,
    ),
    Case(
        form="pages from 0",
        takes={"page": {"type": "integer", "default": 0}, "size": INTEGER},
        given={"size": 3},
        body={"totalRecords": 7, "entityData": THREE},
        then={"page": 1},
    ),
    Case(
        form="pages from 0, the last",
        takes={"page": {"type": "integer", "default": 0}, "size": INTEGER},
        given={"size": 3, "page": 2},
        body={"totalRecords": 7, "entityData": [{"id": 7}]},
        then=None,
    ),
    Case(
        form="no parameter to go on with", takes={"q": TEXT}, body={"items": THREE, "total": 900}, then=None
    ),
    Case(
        form="a date that is called start",
        takes={"start": {"type": "string", "format": "date"}, "limit": INTEGER},
        given={"limit": 3, "start": "2026-01-01"},
        body=THREE,
        then=None,
    ),
    Case(form="an object without a list", takes=PAGE, body={"id": 1, "name": "x"}, then=None),
)
