"""Search by words: what is found, in which order, and what no tool's text can do about it."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import Effect, Json, ToolSpec
from interlock_core.errors import InvalidRequestError
from interlock_core.jsontypes import JsonObject, dump_json, parse_json
from interlock_tools import ToolRegistry, builtin_document
from interlock_tools.retrieval import SearchIndex, ToolFilter, ToolFinder


def tool(name: str, description: str = "", *, required: tuple[str, ...] = (), **arguments: Json) -> ToolSpec:
    """A tool whose arguments are given by their schemas."""
    properties: JsonObject = {**arguments}
    schema: JsonObject = {"type": "object", "properties": properties, "required": [*required]}
    return ToolSpec(name=f"n.{name}", description=description, parameters=schema, namespace="n")


def found(tools: list[ToolSpec], query: str, limit: int = 10) -> list[str]:
    """Names of what is found, without their namespace."""
    return [match.name.partition(".")[2] for match in SearchIndex(tools).search(query, limit=limit)]


PEOPLE = [
    tool("createUser", "Adds a person to the team"),
    tool("deleteUser", "Removes a person for good"),
    tool("list_invoices", "All bills of a customer"),
    tool("get_pull_request", "One pull request with its state"),
    tool("getZipcode", "Where a parcel goes"),
    tool("repos_delete", "Deletes a repository"),
    tool("orgs_delete", "Deletes an organization"),
]


@pytest.mark.promise("O7")
@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("creating users", "createUser"),
        ("add a user", "createUser"),
        ("remove a user", "deleteUser"),
        ("invoice", "list_invoices"),
        ("invocies", "list_invoices"),
        ("a PR", "get_pull_request"),
        ("zip code", "getZipcode"),
        ("delete the repo", "repos_delete"),
        ("delete my organisation", "orgs_delete"),
        ("get rid of an org", "orgs_delete"),
        ("DELETE-USER!!!", "deleteUser"),
        ("n.deleteUser", "deleteUser"),
    ],
)
def test_a_tool_is_found_by_what_people_say(query: str, best: str) -> None:
    """Other endings, other verbs, short forms, two words in one, slips of the finger, plain names."""
    assert found(PEOPLE, query)[:1] == [best]


def test_nothing_is_found_for_words_that_no_tool_has() -> None:
    """Nor in an empty index, nor for idle words alone, nor with a limit of none."""
    assert found(PEOPLE, "photosynthesis") == []
    assert found([], "user") == []
    assert found(PEOPLE, "the of and") == []
    assert found(PEOPLE, "") == []
    assert found(PEOPLE, "user", limit=0) == []
    assert found(PEOPLE, "user", limit=-3) == []


@pytest.mark.promise("O7")
def test_near_twins_are_told_apart_by_the_values_that_a_question_brings() -> None:
    """A date fits the tool that wants one; coordinates that nobody named are missed; numbers are counted."""
    text: Json = {"type": "string"}
    number: Json = {"type": ["number", "null"]}
    tools = [
        tool("weather_by_place", "Weather", required=("city",), city=text, date=text),
        tool("weather_by_point", "Weather", required=("lat", "lon"), lat=number, lon=number),
        tool("weather_by_station", "Weather", required=("station", "offset"), station=text, offset=number),
    ]
    assert found(tools, "weather in Nairobi, Kenya on 2023-04-20")[0] == "weather_by_place"
    assert found(tools, "weather at 52.52, 13.40")[0] == "weather_by_point"
    assert found(tools, "weather at 52.52, 13.40")[-1] == "weather_by_station"


def test_a_choice_that_the_question_names_counts() -> None:
    """As it stands: `closed` is no ending of `close`."""
    kinds: Json = {"type": "string", "enum": ["reggae", "electropop", "hip hop"]}
    states: Json = {"type": "array", "items": {"type": "string", "enum": ["open", "closed"]}}
    tools = [
        tool("find_albums", "Finds music", genre={"type": "string"}),
        tool("find_songs", "Finds music", genre=kinds),
        tool("list_doors", "Doors", state=states),
        tool("close_door", "A door"),
    ]
    assert found(tools, "music of the kind electropop")[0] == "find_songs"
    assert found(tools, "close the door")[0] == "close_door"


def test_what_is_deprecated_comes_after_what_is_not() -> None:
    """Unless it is asked for."""
    tools = [tool("old_ping", "Deprecated. Pings the host"), tool("own_ping", "Pings a host")]
    assert found(tools, "ping the host") == ["own_ping", "old_ping"]
    assert found(tools, "deprecated ping")[0] == "old_ping"


def test_the_scope_that_is_named_decides() -> None:
    """Between operations that do the same for one, for many, and for oneself."""
    tools = [
        tool("secrets_list_for_org", "Lists secrets"),
        tool("secrets_list_for_repo", "Lists secrets"),
        tool("secrets_list_for_authenticated_user", "Lists secrets"),
    ]
    assert found(tools, "secrets of the organization")[0] == "secrets_list_for_org"
    assert found(tools, "secrets of a repository")[0] == "secrets_list_for_repo"
    assert found(tools, "my secrets")[0] == "secrets_list_for_authenticated_user"


@pytest.mark.promise("O7")
def test_stuffing_a_description_with_words_takes_over_no_question() -> None:
    """A tool that says every word a hundred times stands behind each tool that is really about one."""
    every = "create delete user team person invoice bill customer pull request repository organization "
    said: Json = {"description": every * 9}
    schema: JsonObject = {"type": "object", "properties": dict.fromkeys(every.split(), said)}
    stuffed = ToolSpec(name="n.best_tool", description=every * 100, parameters=schema)
    for query in ("create a user", "delete the repository", "list invoices", "pull request"):
        plain = found(PEOPLE, query)
        assert found([*PEOPLE, stuffed], query)[0] == plain[0]


def test_one_word_said_often_gains_little() -> None:
    """What a text can gain by repetition is bounded."""
    once = SearchIndex([tool("a", "kite"), tool("b", "boat")]).search("kite")
    often = SearchIndex([tool("a", "kite " * 2_000), tool("b", "boat")]).search("kite")
    assert often[0].score <= once[0].score * 1.5


def test_documents_join_and_leave_one_by_one() -> None:
    """What is found afterwards is what an index made anew finds."""
    other = [tool("list_users", "Lists people"), tool("show_invoice", "One bill")]
    index = SearchIndex(PEOPLE)
    index.add("other", other)
    assert len(index) == len(PEOPLE) + 2
    assert {match.name for match in index.search("user")} >= {"n.list_users", "n.createUser"}
    index.add("other", other[:1])
    assert len(index) == len(PEOPLE) + 1
    index.remove("other")
    index.remove("other")
    assert index.keys == ("",)
    assert index.search("user") == SearchIndex(PEOPLE).search("user")


def test_what_was_written_down_finds_the_same() -> None:
    """Through JSON and back."""
    index, copy = SearchIndex(PEOPLE), SearchIndex()
    copy.load("", parse_json(dump_json(index.dump(""))))
    for query in ("add a user", "my bills", "org", "zipcode"):
        assert copy.search(query) == index.search(query)
    with pytest.raises(KeyError):
        index.dump("nothing")


def broken(change: JsonObject) -> Json:
    """An index that was written down, changed."""
    return {**SearchIndex(PEOPLE).dump(""), **change}


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        broken({"version": 0}),
        broken({"terms": ["a"]}),
        broken({"sizes": ["a"]}),
        broken({"numbers": [10_000]}),
        broken({"numbers": [-1]}),
        broken({"weights": []}),
        broken({"cards": []}),
        broken({"cards": [1]}),
        broken({"cards": [[1, 2, 3, 4, 5, 6, 7, 8]]}),
        broken({"cards": [["a", "b", "c", [], "nothing", False, [], []]]}),
    ],
)
def test_an_index_that_was_changed_is_refused(data: Json) -> None:
    """Whoever keeps it makes it anew then."""
    with pytest.raises(InvalidRequestError):
        SearchIndex().load("", data)


TEXTS = st.text(max_size=60)
TOOLS = st.lists(
    st.builds(
        ToolSpec,
        name=st.text(min_size=1, max_size=20),
        description=TEXTS,
        summary=TEXTS,
        tags=st.lists(TEXTS, max_size=2).map(tuple),
        endpoint=st.none() | TEXTS,
        parameters=st.dictionaries(
            st.sampled_from(["properties", "required", "items", "enum", "type"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | TEXTS,
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
                max_leaves=8,
            ),
            max_size=4,
        ),
    ),
    max_size=8,
)


@given(TOOLS, TEXTS | st.text(alphabet="aé漢字 \u0000\ud800'\"/@:.-_09", max_size=200), st.integers(-1, 12))
def test_any_tool_and_any_question_are_answered_alike_each_time(
    tools: list[ToolSpec], query: str, limit: int
) -> None:
    """No text breaks the search, the limit holds, and the same is asked and answered twice."""
    index = SearchIndex(tools)
    answer = index.search(query, limit=limit)
    assert len(answer) <= max(limit, 0)
    assert {match.name for match in answer} <= {each.name for each in tools}
    assert answer == SearchIndex(tools).search(query, limit=limit)
    assert [match.score for match in answer] == sorted((match.score for match in answer), reverse=True)
    copy = SearchIndex()
    copy.load("", parse_json(dump_json(index.dump("")))) if tools else None
    assert copy.search(query, limit=limit) == answer


@given(st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "kappa"]), max_size=40))
def test_tools_that_share_no_word_with_a_question_push_none_out(strangers: list[str]) -> None:
    """However many come, what was found before is found still, and in that order."""
    more = [tool(f"{word}_{number}", f"{word} {word}") for number, word in enumerate(strangers)]
    before = found(PEOPLE, "user")
    assert found([*PEOPLE, *more], "user")[: len(before)] == before


@given(st.permutations(PEOPLE))
def test_the_order_of_the_tools_does_not_matter(tools: list[ToolSpec]) -> None:
    """Ties go by name."""
    assert found(tools, "delete a person") == found(PEOPLE, "delete a person")


async def test_a_registry_finds_within_a_namespace_a_category_and_an_effect() -> None:
    """Its index follows what is added, changed and removed."""

    async def run() -> str:
        return ""

    registry = ToolRegistry()
    await registry.add(builtin_document("github")[0], namespace="github")
    registry.register(run, name="notes.issue_create", description="Writes an issue down", category="paper")
    names = {match.tool.name for match in registry.find("create an issue", limit=50)}
    assert {"notes.issue_create", "github.issues_create"} <= names
    reads = registry.find("issue", limit=50, where=ToolFilter(effect=Effect.READ, namespace="GitHub"))
    assert reads
    assert {match.tool.effect for match in reads} == {Effect.READ}
    paper = registry.find("issue", where=ToolFilter(category="Pap*"))
    assert [match.tool.name for match in paper] == ["notes.issue_create"]
    registry.register(run, name="notes.issue_burn", description="Burns an issue", category="paper")
    assert len(registry.find("issue", where=ToolFilter(category="paper"))) == 2
    registry.remove("github")
    assert {match.tool.namespace for match in registry.find("issue")} == {"notes"}
    registry.remove("notes")
    assert registry.find("issue") == []


def test_other_scripts_are_searched_too() -> None:
    """With accents or without, and where words have no spaces between them."""
    tools = [tool("a", "Zeigt das Menü der Küche"), tool("b", "获取当前天气"), tool("c", "Shows the boats")]
    assert found(tools, "kuche") == ["a"]
    assert found(tools, "北京天气")[0] == "b"


@pytest.mark.parametrize(
    "query", ["a" * 1_000_000, "'" * 100_000, "a@" * 50_000, "1." * 50_000, "/a" * 50_000]
)
def test_no_question_is_too_long(query: str) -> None:
    """Only its beginning is read."""
    assert found(PEOPLE, query) == []


def test_wide_and_deep_schemas_are_read_to_a_bound() -> None:
    """A tool with thousands of arguments within each other costs no more than another large one."""
    deep: Json = {"type": "string"}
    for _ in range(200):
        deep = {"type": "object", "properties": {"inner": deep}}
    choices: list[Json] = ["x"] * 5_000
    wide: JsonObject = {f"argument{number}": {"enum": choices} for number in range(5_000)}
    schema: JsonObject = {"type": "object", "properties": {**wide, "deep": deep}}
    assert found([ToolSpec(name="n.wide", parameters=schema)], "wide") == ["wide"]


class Drawer:
    """Keeps indexes in memory, and counts what was read and written."""

    def __init__(self) -> None:
        self.kept: dict[str, Json] = {}
        self.log: list[str] = []

    def get(self, key: str) -> Json:
        """What was kept."""
        self.log.append(f"get {key}")
        return self.kept.get(key)

    def put(self, key: str, data: Json) -> None:
        """Keep it."""
        self.log.append(f"put {key}")
        self.kept[key] = data


@dataclass(frozen=True)
class Only:
    """An entry that is nothing but a tool."""

    spec: ToolSpec


def test_an_index_that_was_kept_is_taken_unless_it_is_of_other_tools() -> None:
    """One that is damaged, or of tools that have changed since, is made anew and kept anew."""
    drawer = Drawer()
    entries = {each.name: Only(each) for each in PEOPLE}
    first = ToolFinder(shelf=drawer).search({"a": entries}, "invoice", limit=3)
    assert drawer.log == ["get a", "put a"]
    assert ToolFinder(shelf=drawer).search({"a": {**entries}}, "invoice", limit=3) == first
    assert drawer.log[2:] == ["get a"]
    fewer = {name: entry for name, entry in entries.items() if "invoice" not in name}
    assert ToolFinder(shelf=drawer).search({"a": fewer}, "invoice", limit=3) == []
    drawer.kept["a"] = {"version": "?"}
    assert ToolFinder(shelf=drawer).search({"a": entries}, "invoice", limit=3) == first
    assert drawer.log[3:] == ["get a", "put a"] * 2


def test_common_words_decide_between_what_rarer_ones_have_found() -> None:
    """However many tools have them."""
    crowd = [tool(f"list_{number}", "Lists things") for number in range(900)]
    rare = [tool(f"kite_{number}", "A kite") for number in range(60)]
    both = tool("kites", "Lists every kite")
    assert found([*crowd, *rare, both], "list a kite")[0] == "kites"
