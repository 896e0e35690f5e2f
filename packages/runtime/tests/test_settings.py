"""Settings: what a file, the environment and flags may say, and how a mistake is told."""

import dataclasses
import json
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from interlock_core.errors import ConfigurationError
from interlock_runtime import Settings, load_settings
from interlock_runtime.configuration import load, locate, settings_json, trust
from interlock_runtime.settings import HELP, LATER_TABLES, NAMED_TABLES, TABLES

EVERYTHING = """
[server]
host = "0.0.0.0"
port = 9000
workers = 2
max_body_bytes = 1000
max_connections = 10
head_timeout_s = 1
body_timeout_s = 2
idle_timeout_s = 3
write_timeout_s = 4
grace_s = 5
[store]
url = "sqlite:///elsewhere.db"
[egress]
allowed_origins = ["http://10.0.0.5:8080"]
allow_private = true
[approvals]
require = "write"
[pipeline]
max_turns = 3
max_tool_calls = 4
max_tokens = 5
max_cost_usd = 1
max_seconds = 2.5
[skills]
folders = ["skills", "/opt/skills"]
[audit]
reads = false
witness = "/var/log/witness"
[telemetry]
metrics = false
[aliases]
fast = "acme/small"
[users."local:me"]
roles = ["readonly"]
[providers.acme]
kind = "openai-compatible"
base_url = "http://127.0.0.1:8000/v1"
api_key = "sk-written-out"
models = ["small"]
enabled = false
carrier = "sdk"
[models."acme/small"]
input_usd = 1
output_usd = 2
cache_read_usd = 0.5
context_tokens = 1000
max_output_tokens = 100
[policies.cheap]
quality = 0.1
price = 1
latency = 0
prefer = ["acme/*"]
exclude = ["local/*"]
max_cost_usd = 0.01
max_latency_s = 3
local_first = true
local_only = false
fallbacks = 1
[tools.shop]
source = "shop.yaml"
base_url = "https://shop.example"
credential = "env:SHOP_TOKEN"
allow = ["shop.get*"]
trusted = true
[roles.auditor]
allow = ["audit.read"]
"""


def write(folder: Path, text: str) -> str:
    """A configuration file with a text."""
    file = folder / "config.toml"
    file.write_text(text, "utf-8")
    return str(file)


def env(tmp_path: Path, **more: str) -> dict[str, str]:
    """An environment with folders of its own."""
    return {"INTERLOCK_HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "config")} | more


def test_nothing_said_gives_the_defaults(tmp_path: Path) -> None:
    """Without a file and variables every table has its default."""
    settings = load_settings(env(tmp_path))
    assert settings == Settings(home=tmp_path / "home")
    assert settings.store_url == f"sqlite:///{tmp_path / 'home' / 'interlock.db'}"


def other(value: object, wanted: object) -> object:
    """A value of the same type that is not the default."""
    if get_origin(wanted) is Literal:
        return next(choice for choice in get_args(wanted) if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, dict):
        return {"x": "y"}
    return f"{value}x" if isinstance(value, str) else ["x"]


def toml(value: object) -> str:
    """A value as TOML writes it."""
    return '{x = "y"}' if isinstance(value, dict) else json.dumps(value)


@pytest.mark.parametrize("name", TABLES)
def test_every_key_of_a_table_can_be_set(tmp_path: Path, name: str) -> None:
    """By the file and by the environment: both give the same."""
    types = get_type_hints(TABLES[name])
    default = TABLES[name]()
    wanted = {key: other(getattr(default, key), kind) for key, kind in types.items()}
    lines = [f"{key} = {toml(value)}" for key, value in wanted.items()]
    file = write(tmp_path, f"[{name}]\n" + "\n".join(lines))
    by_file = getattr(load_settings(env(tmp_path), config=file), name)
    assert {key: getattr(by_file, key) for key in types} == {
        key: ("x",) if value == ["x"] else value for key, value in wanted.items()
    }
    variables = {f"INTERLOCK_{name}__{key}".upper(): toml(value) for key, value in wanted.items()}
    assert getattr(load_settings(env(tmp_path, **variables)), name) == by_file


def test_every_table_can_stand_in_a_file(tmp_path: Path) -> None:
    """What the file says is what the settings hold, in each table."""
    settings = load_settings(env(tmp_path), config=write(tmp_path, EVERYTHING))
    assert settings.aliases == {"fast": "acme/small"}
    assert settings.providers["acme"].models == ("small",)
    assert settings.models["acme/small"].input_usd == 1.0
    assert settings.policies["cheap"].fallbacks == 1
    assert settings.tools["shop"].trusted
    assert settings.users["local:me"].roles == ("readonly",)
    assert settings.roles == {"auditor": {"allow": ["audit.read"]}}
    assert settings.store_url == "sqlite:///elsewhere.db"


def test_every_key_has_a_sentence() -> None:
    """The reference is made of them."""
    for table in (*TABLES.values(), *NAMED_TABLES.values()):
        assert all(entry.metadata.get(HELP) for entry in dataclasses.fields(table))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[serve]\n", 1, "server"),
        ("\n[server]\nprot = 1\n", 3, "port"),
        ('[providers.acme]\nkind = "opnai"\n', 2, "'openai'"),
        ('[providers.acme]\nbase_url = "http://x/v1"\n', 1, "kind"),
        ('[providers.acme]\nkind = "openai-compatible"\n', 1, "Say where"),
        ('[providers.auto]\nkind = "openai"\n', 1, "reserved"),
        ('[providers."a/b"]\nkind = "openai"\n', 1, "lower-case"),
        ('[providers.here]\nkind = "local"\napi_key = "x"\n', 1, "api_key"),
        ("[server]\nport = 70000\n", 2, "0 to 65535"),
        ("[pipeline]\nmax_turns = -1\n", 2, "0 up"),
        ('[server]\nport = "80"\n', 2, "a whole number"),
        ("[server]\nport = true\n", 2, "a whole number"),
        ("[telemetry]\nmetrics = 1\n", 2, "true or false"),
        ("[pipeline]\nmax_seconds = []\n", 2, "a number"),
        ("[server]\nhost = {}\n", 2, "a text"),
        ("[server]\nhost = 2026-01-01\n", 2, "a text"),
        ("[egress]\nallowed_origins = [1]\n", 2, "list of texts"),
        ('[egress]\nallowed_origins = "http://x"\n', 2, "list of texts"),
        ("server = 3\n", 1, "[server]"),
        ("[aliases]\nfast = 3\n", 2, "provider/model"),
        ('[aliases]\nauto = "acme/small"\n', 2, "another"),
        ("[experiments]\nrequests = 1\n", 1, "Remove"),
        ("[providers]\nacme = 3\n", 1, "[providers.acme]"),
        ("[mcp.files]\ntrusted = true\n", 1, "Name the program"),
        ('[mcp.files]\ncommand = "a"\nurl = "http://x"\n', 1, "Name the program"),
        ('[mcp."a b"]\ncommand = "a"\n', 1, "lower-case"),
        ('[tools.files]\nsource = "a"\n[mcp.files]\ncommand = "a"\n', 3, "no name of [tools]"),
        ('[mcp.files]\nurl = "http://x"\nargs = ["a"]\n', 1, "in 'env'"),
        ('[mcp.files]\ncommand = "a"\ncredential = "env:A"\n', 1, "in 'env'"),
        ('[mcp.files]\ncommand = "a"\nenv = { A = 1 }\n', 3, "texts by name"),
        ('[mcp.files]\ncommand = "a"\nenv = "A"\n', 3, "texts by name"),
        ('[mcp.files]\ncommand = "a"\ntimeout_s = 0\n', 3, "0.1 to"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    """File and line stand in the message, the way out in the remedy."""
    file = write(tmp_path, text)
    with pytest.raises(ConfigurationError) as raised:
        load_settings(env(tmp_path), config=file)
    assert f"{file}:{line}: " in raised.value.message
    assert says in (raised.value.remedy or "")
    assert raised.value.field
    assert raised.value.exit_code == 4


@pytest.mark.parametrize("table", LATER_TABLES)
def test_a_table_that_nothing_acts_on_is_refused(tmp_path: Path, table: str) -> None:
    """It is reserved, and never silently ignored."""
    with pytest.raises(ConfigurationError, match="does not act on"):
        load_settings(env(tmp_path), config=write(tmp_path, f"[{table}.x]\n"))


def test_what_is_no_toml_or_no_text_is_told(tmp_path: Path) -> None:
    """The line stands in the message."""
    with pytest.raises(ConfigurationError, match=r"is not TOML.*line 2"):
        load_settings(env(tmp_path), config=write(tmp_path, "\n[server\n"))
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(env(tmp_path), config=str(tmp_path / "bad.toml"))


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """Some editors write one."""
    (tmp_path / "mark.toml").write_bytes(b"\xef\xbb\xbf[server]\nport = 9\n")
    assert load_settings(env(tmp_path), config=str(tmp_path / "mark.toml")).server.port == 9


def test_a_wrong_type_does_not_show_its_value(tmp_path: Path) -> None:
    """It may be a secret that stands in the wrong place."""
    with pytest.raises(ConfigurationError) as raised:
        load_settings(env(tmp_path), config=write(tmp_path, '[server]\nport = "sk-canary-1"\n'))
    assert "canary" not in str(raised.value)


def test_the_environment_stands_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    """Each sets its own keys and leaves the others."""
    file = write(tmp_path, '[server]\nhost = "file"\nport = 1\nworkers = 3\n')
    environment = env(tmp_path, INTERLOCK_SERVER__PORT="2", INTERLOCK_SERVER__HOST="environment")
    settings = load(environment, config=file, flags={"server": {"host": "flag"}})
    assert (settings.server.host, settings.server.port, settings.server.workers) == ("flag", 2, 3)


def test_the_environment_declares_named_tables(tmp_path: Path) -> None:
    """With three parts the middle one is a name, whatever underscores are in it."""
    settings = load_settings(
        env(
            tmp_path,
            INTERLOCK_PROVIDERS__MY_BOX__KIND="openai-compatible",
            INTERLOCK_PROVIDERS__MY_BOX__BASE_URL='"http://127.0.0.1:1/v1"',
            INTERLOCK_PROVIDERS__MY_BOX__API_KEY="12345678",
            INTERLOCK_PROVIDERS__MY_BOX__MODELS='["a", "b"]',
            INTERLOCK_PROVIDERS__MY_BOX__ENABLED="false",
            INTERLOCK_ALIASES__FAST="my_box/a",
            INTERLOCK_APPROVALS__REQUIRE="never",
        )
    )
    box = settings.providers["my_box"]
    assert (box.base_url, box.api_key, box.models, box.enabled) == (
        "http://127.0.0.1:1/v1",
        "12345678",
        ("a", "b"),
        False,
    )
    assert settings.aliases == {"fast": "my_box/a"}
    assert settings.approvals.require == "never"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("INTERLOCK_SERVER__HOST", '"half'),
        ("INTERLOCK_SERVER__HOST", '"a" b"'),
        ("INTERLOCK_SERVER__HOST", '"'),
    ],
)
def test_a_text_of_the_environment_is_taken_as_it_is(tmp_path: Path, variable: str, value: str) -> None:
    """Quotes are taken away only where they are a pair."""
    assert load_settings(env(tmp_path, **{variable: value})).server.host == value


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"INTERLOCK_SERVE__PORT": "1"}, "server"),
        ({"INTERLOCK_SERVER__PROT": "1"}, "port"),
        ({"INTERLOCK_PROVIDERS__ACME__KEY": "1"}, "api_key"),
        ({"INTERLOCK_PROVIDERS__ACME": "x", "INTERLOCK_PROVIDERS__ACME__KIND": "openai"}, "Set one"),
        ({"INTERLOCK_PROVIDERS__ACME": "x"}, "[providers.acme]"),
        ({"INTERLOCK_SERVER__PORT": "many"}, "a whole number"),
    ],
)
def test_a_wrong_variable_is_told(tmp_path: Path, variables: dict[str, str], says: str) -> None:
    """By its own name, with the nearest that there is."""
    with pytest.raises(ConfigurationError) as raised:
        load_settings(env(tmp_path, **variables))
    assert says in (raised.value.remedy or "")


def test_the_variables_of_a_remote_server_are_no_settings(tmp_path: Path) -> None:
    """`INTERLOCK_SERVER` and `INTERLOCK_KEY` belong to the command line alone."""
    environment = env(tmp_path, INTERLOCK_SERVER="http://127.0.0.1:1", INTERLOCK_KEY="ilk_x", OTHER__X="1")
    assert load_settings(environment) == Settings(home=tmp_path / "home")


def test_the_file_is_found_in_order(tmp_path: Path) -> None:
    """The flag, the variable, a trusted file of the folder, the user's own, none."""
    environment = env(tmp_path)
    assert locate(environment, folder=tmp_path).why == "defaults"
    own = tmp_path / "config" / "interlock" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("")
    assert locate(environment, folder=tmp_path).file == own
    local = tmp_path / "interlock.toml"
    local.write_text("[server]\nport = 1\n")
    found = locate(environment, folder=tmp_path)
    assert (found.file, found.untrusted) == (own, local)
    trust(tmp_path / "home", local)
    assert locate(environment, folder=tmp_path).file == local
    local.write_text("[server]\nport = 2\n")
    assert locate(environment, folder=tmp_path).untrusted == local
    other = write(tmp_path, "")
    assert locate(environment | {"INTERLOCK_CONFIG": other}).file == Path(other)
    assert locate(environment, config=other).why == "--config"
    with pytest.raises(ConfigurationError, match="no configuration file"):
        locate(environment, config=str(tmp_path / "absent.toml"))


def test_the_store_of_trust_survives_damage_and_is_private(tmp_path: Path) -> None:
    """A damaged list trusts nothing; a new one is for its owner alone."""
    local = tmp_path / "interlock.toml"
    local.write_text("")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "trusted.json").write_text("{")
    assert locate(env(tmp_path), folder=tmp_path).untrusted == local
    trust(tmp_path / "home", local)
    assert (tmp_path / "home" / "trusted.json").stat().st_mode & 0o077 == 0


def test_the_platforms_folders_are_used_without_variables() -> None:
    """On Linux as its desktops have it."""
    source = locate({"XDG_CONFIG_HOME": "/nowhere"}, folder=Path("/nowhere"))
    assert source.home.name == "interlock"
    assert source.file is None


def test_shown_settings_hide_what_is_secret(tmp_path: Path) -> None:
    """A reference is shown, a value is not."""
    settings = load_settings(env(tmp_path), config=write(tmp_path, EVERYTHING))
    shown = settings_json(settings)
    assert "sk-written-out" not in str(shown)
    assert shown["providers"] == {
        "acme": {
            "kind": "openai-compatible",
            "base_url": "http://127.0.0.1:8000/v1",
            "api_key": "(hidden)",
            "models": ["small"],
            "enabled": False,
            "carrier": "sdk",
        }
    }
    assert "env:SHOP_TOKEN" in str(shown["tools"])


def test_relative_paths_begin_at_the_file(tmp_path: Path) -> None:
    """Wherever the command is run; without a file they are as written."""
    settings = Settings(home=tmp_path, file=tmp_path / "config.toml")
    assert settings.path("a.yaml") == tmp_path / "a.yaml"
    assert settings.path("~/a.yaml") == Path.home() / "a.yaml"
    assert settings.path("~nobody-at-all/a") == tmp_path / "~nobody-at-all" / "a"
    assert Settings(home=tmp_path).path("a.yaml") == Path("a.yaml")


def test_what_a_program_is_handed_is_shown_as_the_place_it_comes_from(tmp_path: Path) -> None:
    """A value that is written out may be a secret, so it is hidden."""
    file = write(tmp_path, '[mcp.files]\ncommand = "a"\nenv = { A = "env:TOKEN", B = "sk-canary-2" }\n')
    settings = load_settings(env(tmp_path), config=file)
    assert settings.mcp["files"].env == {"A": "env:TOKEN", "B": "sk-canary-2"}
    shown = str(settings_json(settings))
    assert "env:TOKEN" in shown
    assert "canary" not in shown
