"""Every other command at least once, on a real runtime with a data folder of its own."""

import json
from typing import TYPE_CHECKING

import pytest

from interlock_core.jsontypes import Json, as_array, as_number, as_object, dump_json
from interlock_providers.testing import OpenAIChatServer

if TYPE_CHECKING:
    from .conftest import CommandLine

DOCUMENT = """
openapi: 3.1.0
info: {title: Pets, version: '1'}
servers: [{url: 'http://127.0.0.1:9'}]
paths:
  /pets:
    get: {operationId: listPets, summary: List all pets, responses: {'200': {description: ok}}}
  /pets/{id}:
    delete:
      operationId: deletePet
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'204': {description: gone}}
"""


@pytest.fixture
def pets(cli: "CommandLine") -> "CommandLine":
    """A command line with an OpenAPI document in its folder."""
    cli.folder.joinpath("pets.yaml").write_text(DOCUMENT, "utf-8")
    return cli


@pytest.mark.parametrize(
    "command",
    [
        "audit tail",
        "audit verify",
        "can alice github.issues_list",
        "config path",
        "config check",
        "config show",
        "doctor",
        "keys list",
        "models list",
        "models list --prices",
        "providers list",
        "providers check",
        "roles list",
        "roles show admin",
        "route explain hello --policy cheap",
        "skills list",
        "stats",
        "stats --by provider --since 7d",
        "stats --by provider --by task --until 1h --provider acme --tools",
        "stats --show wins --task writing",
        "stats --show curve",
        "stats --show anomalies",
        "tools list",
        "tools search issue",
        "tools search issue --effect read --category issues --namespace git* --limit 2",
        "tools show github.issues_create",
    ],
)
def test_every_command_prints_words_or_one_document(acme: "CommandLine", command: str) -> None:
    """The same end for both; with JSON standard output holds one object, and quiet leaves no remarks."""
    words = acme(*command.split(), "--quiet")
    told = acme(*command.split(), "--json")
    assert words.code == told.code
    assert told.code in {0, 3}
    assert "error" not in told.document
    assert words.err.count("\n") <= 1
    assert "\x1b" not in words.out + words.err


OUTCOMES = "\n".join(
    dump_json(
        {
            "id": str(number),
            "prompt": f"Add {number} and 4.",
            "task": "mathematics",
            "outcomes": {
                "a": {"score": 1, "cost_usd": 0.9},
                "b": {"score": number % 2, "cost_usd": 0.001},
            },
        }
    )
    for number in range(60)
)


def test_a_replay_learns_over_a_table(cli: "CommandLine") -> None:
    """It prints what the router brought beside the best model, a choice by chance and an oracle."""
    cli.folder.joinpath("t.jsonl").write_text(OUTCOMES, "utf-8")
    told = cli("route", "replay", "--data", "t.jsonl", "--policy", "best", "--seed", "1", "--json").document
    assert told["n"] == 60
    assert as_object(told["best_fixed"])["model"] == "a"
    assert as_object(told["oracle"])["mean_score"] == 1
    assert set(as_object(told["share"])) == {"a", "b"}
    assert set(as_object(told["decision_us"])) == {"p50", "p99"}
    assert {"mean_score", "mean_utility", "total_cost_usd", "random", "last_quarter"} <= set(told)
    words = cli("route", "replay", "--data", "t.jsonl", "--cost-weight", "0.2", "--no-task", "--quiz", "5")
    assert "best single model, a" in words.out
    assert "55 requests" in words.out


def test_a_policy_is_judged_by_the_log_of_another(cli: "CommandLine") -> None:
    """The cheap model scores half: so does a policy that always takes it, and it says how sure that is."""
    cli.folder.joinpath("t.jsonl").write_text("\n".join([OUTCOMES] * 5), "utf-8")
    ran = cli(
        "route", "replay", "--data", "t.jsonl", "--policy", "best", "--floor", "0.5", "--log", "d.jsonl"
    )
    assert ran.code == 0
    told = cli("route", "evaluate", "--log", "d.jsonl", "--policy", "cheap", "--json").document
    low, high = (as_number(end) or 0.0 for end in as_array(as_object(told["score"])["interval"]))
    assert low < 0.5 < high < 0.8
    assert (as_number(as_object(told["share"])["b"]) or 0) > 0.9
    words = cli("route", "evaluate", "--log", "d.jsonl", "--policy", "cheap")
    assert "95 % INTERVAL" in words.out


def test_a_log_that_cannot_judge_a_policy_says_so(cli: "CommandLine") -> None:
    """It never chose what the policy would choose: no number, and the way out."""
    options: list[Json] = [
        {"model": "a", "probability": 1, "quality": 0.1, "cost_usd": 1},
        {"model": "b", "probability": 0, "quality": 0.9, "cost_usd": 0},
    ]
    line = dump_json({"id": "1", "chosen": "a", "score": 1, "cost_usd": 1, "options": options})
    cli.folder.joinpath("d.jsonl").write_text("\n".join([line] * 100), "utf-8")
    ran = cli("route", "evaluate", "--log", "d.jsonl", "--policy", "best")
    assert ran.code == 1
    assert "explores" in ran.err


def test_a_replay_says_what_is_wrong(cli: "CommandLine") -> None:
    """The file, the line and the field; the nearest policy; a quiz that leaves nothing."""
    cli.folder.joinpath("t.jsonl").write_text('{"prompt": "Hi"}', "utf-8")
    assert "t.jsonl, line 1" in cli("route", "replay", "--data", "t.jsonl").err
    assert cli("route", "replay", "--data", "t.jsonl").code == 1
    cli.folder.joinpath("t.jsonl").write_text(OUTCOMES, "utf-8")
    assert "best" in cli("route", "replay", "--data", "t.jsonl", "--policy", "bst").err
    assert "from 0 to 59" in cli("route", "replay", "--data", "t.jsonl", "--quiz", "60").err
    assert "cannot be read" in cli("route", "replay", "--data", "none.jsonl").err


def test_a_search_tells_how_well_each_tool_fits(cli: "CommandLine") -> None:
    """Best first, and no tool that does another thing than asked for."""
    found = as_array(
        cli("tools", "search", "close an issue", "--effect", "write", "--json").document["tools"]
    )
    rows = [as_object(row) for row in found]
    assert rows[0]["name"] == "github.issues_update"
    assert {str(row["effect"]) for row in rows} == {"write"}
    scores = [as_number(row["score"]) or 0.0 for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0


def test_keys_are_created_listed_and_revoked(cli: "CommandLine") -> None:
    """The key itself is shown once."""
    made = cli("keys", "create", "--name", "ci", "--role", "developer", "--expires", "30d", "--json").document
    key = str(made["key"])
    assert key.startswith("ilk_")
    listed = cli("keys", "list")
    assert str(made["id"]) in listed.out
    assert key not in listed.out
    assert cli("keys", "revoke", str(made["id"])).out == f"{made['id']}: revoked\n"
    assert cli("keys", "revoke", str(made["id"]), "--json").code in {0, 2}
    shown = cli("keys", "create", "--name", "bot")
    assert shown.out.startswith("ilk_")
    assert "once" in shown.err


@pytest.mark.parametrize("option", ["--budget-usd-day", "--budget-usd-month"])
@pytest.mark.parametrize("amount", ["-1", "inf", "much"])
def test_an_amount_of_money_is_a_number_of_dollars(cli: "CommandLine", option: str, amount: str) -> None:
    """Anything else is a usage error that names the option."""
    ended = cli("keys", "create", "--name", "ci", option, amount)
    assert ended.code == 2
    assert option in ended.err


@pytest.mark.parametrize("option", ["--budget-usd-day", "--budget-usd-month"])
def test_a_budget_of_a_key_is_kept_with_it(cli: "CommandLine", option: str) -> None:
    """And shown wherever the key is; nothing at all is no budget."""
    assert cli("keys", "create", "--name", "k", option, "2.5", "--json").code == 0
    (listed,) = as_array(cli("keys", "list", "--json").document["keys"])
    assert as_object(listed)[option.removeprefix("--").replace("-", "_")] == 2.5
    assert "more than nothing" in cli("keys", "create", "--name", "k", option, "0").err


def test_roles_are_granted_shown_and_revoked(cli: "CommandLine") -> None:
    """And what a user may do follows."""
    assert cli("can", "alice", "github.issues_create").code == 3
    assert cli("roles", "grant", "alice", "developer").out == "alice is developer now\n"
    assert "alice" in cli("roles", "list").out
    allowed = cli("can", "alice", "github.issues_create", "--arg", "owner=acme", "--arg", "n=1", "--json")
    assert allowed.document["allowed"] is (allowed.code == 0)
    assert cli("roles", "revoke", "alice", "developer", "--json").document["granted"] is False
    tail = cli("audit", "tail", "-n", "5")
    assert "roles" in tail.out
    assert cli("audit", "tail", "--json").document["records"]


def test_documents_are_converted(pets: "CommandLine") -> None:
    """In the order given, with what could not be loaded beside what could."""
    ended = pets("tools", "convert", "pets.yaml", "nowhere.yaml", "--for", "all", "--json")
    assert ended.code == 1
    assert [as_object(entry)["ok"] for entry in as_array(ended.document["documents"])] == [True, False]
    assert "nowhere.yaml" in ended.err
    summed = pets("tools", "convert", "pets.yaml", "pets.yaml", "--report", "--strict")
    assert "In all: 2 of 2 documents" in summed.out
    assert "tokens in all; the largest tool is" in summed.out
    assert "strict-lossless" in summed.out
    shown = pets("tools", "convert", "pets.yaml")
    assert (shown.code, shown.out) == (0, "pets.yaml: 2 of 2 operations\n")


def test_what_is_skipped_is_told_with_its_reason(pets: "CommandLine") -> None:
    """An operation that cannot become a tool has a line."""
    odd = DOCUMENT.replace(
        "{name: id, in: path, required: true, schema: {type: string}}", "{$ref: '#/nowhere'}"
    )
    pets.folder.joinpath("odd.yaml").write_text(odd, "utf-8")
    told = as_object(as_array(pets("tools", "convert", "odd.yaml", "--json").document["documents"])[0])
    shown = pets("tools", "convert", "odd.yaml")
    assert shown.out.count("skipped") == len(as_array(told["skipped"]))


def test_a_document_is_read_again_and_what_changed_is_shown(pets: "CommandLine") -> None:
    """New, changed and gone tools each have a mark; a document that cannot be read stays as it was."""
    file = pets.folder.joinpath("shop.yaml")
    old = "{get: {operationId: a, summary: Old}, put: {operationId: gone}}"
    file.write_text(f"openapi: 3.1.0\npaths: {{/a: {old}}}\n", "utf-8")
    pets.folder.joinpath("o.json").write_text(
        '{"overlay": "1.0.0", "actions": [{"target": "$.info", "update": {"title": "Ours"}}]}', "utf-8"
    )
    assert pets("tools", "add", "shop.yaml", "--name", "shop", "--overlay", "o.json").code == 0
    assert "nothing changed" in pets("tools", "reload", "shop").out
    new = "{get: {operationId: a, summary: New}, post: {operationId: fresh}}"
    file.write_text(f"openapi: 3.1.0\npaths: {{/a: {new}}}\n", "utf-8")
    shown = pets("tools", "reload", "shop").out
    assert shown.splitlines()[1:] == ["  + shop.fresh", "  ~ shop.a", "  - shop.gone"]
    file.write_text("no document", "utf-8")
    failed = pets("tools", "reload")
    assert failed.code == 1
    assert "shop stays as it was" in failed.err
    assert as_array(pets("tools", "reload", "github", "--json").document["documents"])
    assert pets("tools", "convert", "shop.yaml", "--overlay", "absent.json").code != 0


def test_tools_are_added_called_and_removed(pets: "CommandLine") -> None:
    """A call is shown before it is made, and a server that is away is a failure with its address."""
    added = pets("tools", "add", "pets.yaml", "--name", "pets")
    assert added.out == "pets: 2 of 2 operations are tools now\n"
    name = next(
        str(as_object(row)["name"])
        for row in as_array(pets("tools", "list", "pets.*", "--json").document["tools"])
        if as_object(row)["effect"] == "destructive"
    )
    pets.folder.joinpath("args.json").write_text('{"id": "7"}')
    dry = pets("tools", "call", name, "--args", "@args.json", "--dry-run", "--json").document
    assert (dry["method"], dry["url"]) == ("DELETE", "http://127.0.0.1:9/pets/7")
    assert "DELETE" in pets("tools", "call", name, "--args", "@args.json", "--dry-run").out
    assert name in pets("tools", "show", name).out
    assert pets("tools", "show", name, "--full", "--json").document["parameters"]
    assert '"type": "string"' in pets("tools", "show", name, "--part", "/id").out
    assert "Did you mean id?" in pets("tools", "show", name, "--part", "/ids").err
    assert pets("tools", "show", name, "--part", "/id", "--full").code == 2
    failed = pets("tools", "call", name, "--args", '{"id": "7"}', "--json")
    assert failed.code in {1, 3}
    assert failed.document
    assert pets("tools", "remove", "pets").out == "pets: removed\n"
    assert "No tool fits" in pets("tools", "list", "pets.*").err


def test_a_call_prints_what_came_back(acme: "CommandLine") -> None:
    """As JSON that a person can read, or in a document."""
    arguments = ("--args", '{"owner": "acme", "repo": "notes"}')
    assert json.loads(acme("tools", "call", "github.issues_list", *arguments).out) == []
    told = acme("tools", "call", "github.issues_list", *arguments, "--json").document
    assert (told["ok"], told["status"], told["result"]) == (True, 200, [])


def test_arguments_that_are_no_text_are_refused(acme: "CommandLine") -> None:
    """A binary file and a folder, by the option's name."""
    acme.folder.joinpath("args.bin").write_bytes(b"\xff\xfe")
    for path in ("@args.bin", "@."):
        ended = acme("tools", "call", "github.issues_list", "--args", path)
        assert ended.code == 2
        assert "--args" in ended.err


def test_statistics_follow_what_was_asked(acme: "CommandLine", vendor: OpenAIChatServer) -> None:
    """As a table, as JSON and for Prometheus; two forms at once are refused."""
    assert acme("ask", "Hello", "-m", "acme/small", "--quiet").code == 0
    assert vendor.requests
    assert "acme/small" in acme("stats").out
    assert acme("stats", "--format", "json").document
    assert "interlock_requests_total" in acme("stats", "--format", "prometheus").out
    assert acme("stats", "--format", "table", "--json").code == 2
    assert acme("stats", "--format", "prometheus", "--show", "wins").code == 2
    assert "before it begins" in acme("stats", "--since", "1h", "--until", "2h").err


def test_a_provider_is_asked_when_it_is_checked(acme: "CommandLine", vendor: OpenAIChatServer) -> None:
    """One that refuses our key fails the check."""
    assert "ok     acme: 2 models" in acme("providers", "check", "acme").out
    vendor.change_key("sk-other")
    ended = acme("providers", "check", "acme", "--json")
    assert ended.code == 1
    assert "acme" in ended.err
    assert as_object(as_array(ended.document["providers"])[0])["ok"] is False


def test_weights_that_are_here_are_not_fetched_again(cli: "CommandLine") -> None:
    """An unknown name is refused with the known one."""
    assert cli("models", "pull", "smollm-135m").code == 2


def test_where_a_configuration_would_be_is_told(cli: "CommandLine") -> None:
    """Before there is one, the path that is to be created."""
    wanted = str(cli.folder / "xdg" / "interlock" / "config.toml")
    assert cli("config", "path", "--json").document["create"] == wanted
    assert "none (defaults); to have one, create " in cli("config", "path").out


def test_the_configuration_of_a_folder_is_used_once_it_is_trusted(cli: "CommandLine") -> None:
    """Before that every command says that it is not."""
    assert cli("config", "trust").code == 2
    cli.folder.joinpath("interlock.toml").write_text('[aliases]\nmine = "local/smollm2-135m"\n')
    assert "config trust" in cli("config", "check").err
    assert "is not read" in cli("config", "path").err
    assert cli("config", "trust").code == 0
    assert cli("config", "trust", "--json").document["sha256"]
    assert "mine" in cli("config", "show").out
    assert cli("config", "check").err == ""


def test_skills_are_listed_shown_and_validated(cli: "CommandLine") -> None:
    """What is wrong with a folder is named."""
    folder = cli.home / "skills" / "triage"
    folder.mkdir(parents=True)
    cli.home.chmod(0o700)
    text = "---\nname: triage\ndescription: Sorts issues.\n---\n\nSort them.\n"
    folder.joinpath("SKILL.md").write_text(text)
    broken = cli.home / "skills" / "broken"
    broken.mkdir()
    broken.joinpath("SKILL.md").write_text("nothing")
    listed = cli("skills", "list")
    assert "Sorts issues." in listed.out
    assert "broken" in listed.err
    assert "Sort them." in cli("skills", "show", "triage").out
    assert cli("skills", "show", "triage", "--json").document["name"] == "triage"
    assert cli("skills", "validate", str(folder)).code == 0
    ended = cli("skills", "validate", str(broken), "--json")
    assert (ended.code, ended.document["ok"]) == (1, False)


def test_the_doctor_names_what_is_wrong(cli: "CommandLine") -> None:
    """A data folder that others can read is a finding, with what to do."""
    assert cli("doctor").out.startswith("ok     python")
    cli.home.chmod(0o755)
    ended = cli("doctor")
    assert ended.code == 4
    assert "chmod 700" in ended.err


@pytest.mark.parametrize("command", ["stats", "config show", "serve", "demo", "doctor"])
def test_a_command_that_works_here_alone_refuses_a_server(cli: "CommandLine", command: str) -> None:
    """It is not silently run on this machine."""
    ended = cli(*command.split(), "--server", "http://127.0.0.1:9")
    assert ended.code == 1
    assert "--server" in ended.err


def test_a_server_of_the_environment_is_refused_alike(
    cli: "CommandLine", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data of this machine would be the wrong ones."""
    monkeypatch.setenv("INTERLOCK_SERVER", "http://127.0.0.1:9")
    assert "INTERLOCK_SERVER" in cli("stats").err


def test_the_gateway_refuses_an_address_beyond_this_machine_without_a_key(cli: "CommandLine") -> None:
    """The command hands over to the face that serves."""
    ended = cli("serve", "--host", "0.0.0.0", "--port", "1")
    assert ended.code == 4
    assert "keys create" in ended.err
