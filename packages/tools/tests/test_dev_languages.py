"""Languages beside Python: their tools are found, their answers read, and what is missing is said.

The tools are stand-ins that say what the real ones are documented to say; all else is the real thing.
"""

import sys
from pathlib import Path

import pytest

from interlock_core import JsonObject
from interlock_core.jsontypes import as_array, as_object

from .dev_ground import Ground, programs, texts, write

pytestmark = pytest.mark.promise("O12")

NODE = '#!/bin/sh\nexec /bin/sh "$@"\n'
ESLINT = """#!/bin/sh
case "$1" in
  --format=json)
    test -e broken && { echo 'Oops: no config' >&2; exit 2; }
    test -e garbage && { echo 'hello'; exit 0; }
    echo '[{"filePath": "'$PWD'/web/a.ts", "messages": [
      {"ruleId": "semi", "severity": 2, "message": "Missing semicolon.", "line": 1, "column": 10,
       "fix": {"range": [9, 9], "text": ";"}},
      {"ruleId": null, "severity": 2, "message": "Parsing error", "line": 2, "column": 1}]}]'
    exit 1;;
  --fix) echo 'let a = 1;' > web/a.ts; exit 1;;
esac
"""
PRETTIER = (
    '#!/bin/sh\ntest "$1" = --write || exit 9\nshift 3\nfor f in "$@"; do echo formatted > "$f"; done\n'
)
GO = """#!/bin/sh
case "$1" in
  vet)
    test -e good && exit 0
    test -e broken && { echo 'go: cannot find main module' >&2; exit 1; }
    echo '# notes' >&2; echo './main.go:4:2: unreachable code' >&2; exit 1;;
  test)
    test -e broken && { echo 'build failed' >&2; exit 1; }
    echo '{"Action":"start","Package":"notes"}'
    echo 'not json'
    echo '{"Action":"pass","Package":"notes","Test":"TestA","Elapsed":0.5}'
    printf '%s\\n' '{"Action":"output","Package":"notes","Test":"TestB","Output":"b_test.go:3: no\\n"}'
    echo '{"Action":"fail","Package":"notes","Test":"TestB","Elapsed":0.25}'
    echo '{"Action":"skip","Package":"notes","Test":"TestC"}'
    echo '{"Action":"fail","Package":"notes","Elapsed":1}'
    exit 1;;
esac
"""
GOFMT = '#!/bin/sh\ntest "$1" = -w || exit 9\nshift\nfor f in "$@"; do echo "package main" > "$f"; done\n'
CARGO = """#!/bin/sh
case "$1" in
  clippy)
    test -e broken && { echo 'error: no targets' >&2; exit 101; }
    echo 'noise'
    echo '{"reason":"build-finished","success":true}'
    for twice in 1 2; do
    echo '{"reason":"compiler-message","message":{"level":"warning",' \\
      '"code":{"code":"clippy::needless_return"},' \\
      '"message":"unneeded return","spans":[{"file_name":"src/lib.rs","line_start":2,"column_start":5,' \\
      '"is_primary":true}]}}'
    done;;
  test)
    test -e broken && { echo 'error[E0308]: mismatched types' >&2; exit 101; }
    printf 'running 3 tests\\ntest a ... ok\\ntest b ... FAILED\\ntest c ... ignored\\n\\n'
    printf 'failures:\\n\\n---- b stdout ----\\nassertion failed\\n\\n\\nfailures:\\n    b\\n'
    exit 101;;
esac
"""
RUSTFMT = (
    '#!/bin/sh\ntest "$1 $2" = "--edition 2018" || exit 9\nshift 2\nfor f in "$@"; do echo fn > "$f"; done\n'
)


def node_folder(tmp_path: Path, **more: str) -> Ground:
    """A folder of TypeScript with eslint and prettier among its dependencies."""
    files = {
        "web/a.ts": "let a = 1\n",
        "web/b.js": "1\n",
        "package.json": '{"scripts": {"test": "x"}}',
        "node_modules/.bin/eslint": ESLINT,
        "node_modules/.bin/prettier": PRETTIER,
    }
    return Ground(write(tmp_path / "notes", {**files, **more}))


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of every language, before those of the system."""
    standing = {"node": NODE, "go": GO, "gofmt": GOFMT, "cargo": CARGO, "rustfmt": RUSTFMT}
    monkeypatch.setenv("PATH", programs(tmp_path / "tools", **standing))
    toolchain = tmp_path / "home" / ".rustup" / "toolchains" / "stable-x"
    write(toolchain / "bin", {"cargo": CARGO, "rustfmt": RUSTFMT})
    write(tmp_path / "home", {".cargo/registry/x": ""})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def codes(answer: JsonObject) -> list[tuple[object, ...]]:
    """Path, line, rule and whether it can be repaired, of each finding."""
    lines = map(as_object, as_array(answer["findings"]))
    return [(line["path"], line["line"], line["code"], line["fixable"]) for line in lines]


@pytest.mark.usefixtures("tools")
async def test_javascript_is_linted_by_the_folders_own_eslint(tmp_path: Path) -> None:
    """One run for both languages; what it would repair is a diff."""
    ground = node_folder(tmp_path)
    answer = await ground.call("lintCode", path="web")
    assert codes(answer) == [("web/a.ts", 1, "semi", True), ("web/a.ts", 2, "syntax", False)]
    assert "+let a = 1;" in str(answer["diff"])
    assert [as_object(line)["language"] for line in as_array(answer["tools"])] == ["javascript", "typescript"]


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(("file", "said"), [("broken", "no config"), ("garbage", "hello")])
async def test_an_eslint_that_cannot_work_says_why(tmp_path: Path, file: str, said: str) -> None:
    """Its own words come back."""
    assert said in await node_folder(tmp_path, **{file: ""}).refused("lintCode", path="web")


@pytest.mark.usefixtures("tools")
async def test_clean_javascript_needs_no_second_run(tmp_path: Path) -> None:
    """Nothing to repair, no diff."""
    clean = "#!/bin/sh\necho '[]'\n"
    answer = await node_folder(tmp_path, **{"node_modules/.bin/eslint": clean}).call("lintCode", path="web")
    assert (answer["total"], answer["diff"]) == (0, "")


@pytest.mark.usefixtures("tools")
async def test_javascript_is_formatted_by_the_folders_own_prettier(tmp_path: Path) -> None:
    """Only the files that were named, and only when told to."""
    ground = node_folder(tmp_path)
    answer = await ground.call("formatCode", path="web", language="typescript", apply=True)
    assert answer["changed"] == ["web/a.ts"]
    assert texts(ground.folder)["web/a.ts"] == "formatted\n"


@pytest.mark.parametrize(
    ("said", "exit_code", "counts"),
    [
        ("Tests: 1 failed, 1 skipped, 3 passed, 5 total", 1, (3, 1, 1, 0, False)),
        ("  4 passing (12ms)\n  1 pending", 0, (4, 0, 1, 0, True)),
        ("\u2139 pass 2\n\u2139 fail 0", 0, (2, 0, 0, 0, True)),
        ("# pass 1\n# fail 2", 1, (1, 2, 0, 0, False)),
        ("it fell over", 1, (0, 0, 0, 1, False)),
        ("all is well", 0, (0, 0, 0, 0, False)),
    ],
)
async def test_a_script_of_tests_is_run_and_its_counts_are_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    exit_code: int,
    counts: tuple[int, int, int, int, bool],
) -> None:
    """In each of the ways in which runners print them; otherwise what it said is the answer."""
    npm = f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {exit_code}\n"
    monkeypatch.setenv("PATH", programs(tmp_path / "tools", npm=npm))
    run = await node_folder(tmp_path).call("runTests", path="web", filter="a")
    assert (run["passed"], run["failed"], run["skipped"], run["errors"], run["ok"]) == counts
    if exit_code or not any(counts[:4]):
        assert said.splitlines()[0] in str(run["output"])


@pytest.mark.usefixtures("tools")
async def test_go_is_vetted_formatted_and_tested(tmp_path: Path) -> None:
    """Places from its text, results from its events."""
    files = {"go.mod": "module notes\n", "main.go": "x", "main_test.go": "x", "sub/a.go": "x"}
    ground = Ground(write(tmp_path / "notes", files))
    assert codes(await ground.call("lintCode", path=".")) == [("main.go", 4, "vet", False)]
    changed = await ground.call("formatCode", path="main.go")
    assert changed["changed"] == ["main.go"]
    run = await ground.call("runTests", path=".", filter="Test")
    assert (run["passed"], run["failed"], run["skipped"], run["seconds"]) == (1, 1, 1, 0.75)
    failure = as_object(as_array(run["failures"])[0])
    assert (failure["test"], failure["trace"]) == ("notes::TestB", "b_test.go:3: no\n")
    write(ground.folder, {"broken": ""})
    assert "cannot find main module" in await ground.refused("lintCode", path=".")
    assert "build failed" in str((await ground.call("runTests", path="."))["output"])
    (ground.folder / "broken").rename(ground.folder / "good")
    assert (await ground.call("lintCode", path="."))["total"] == 0


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        ("gofmt", ("--cpuprofile=x.go", "-d.go")),
        ("rustfmt", ("--check.rs", "--config-path=x.rs")),
        ("eslint", ("--config=x.js", "!x.js")),
        ("prettier", ("--plugin=x.js", "!x.js")),
    ],
)
async def test_the_name_of_a_file_is_never_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str, names: tuple[str, ...]
) -> None:
    """A stand-in fails where a name begins like an option or a pattern, as the real tool would obey it."""
    stub = '#!/bin/sh\nfor f in "$@"; do case "$f" in *.go|*.rs|*.js) case "$f" in\n'
    stub += "  ./*) ;; *) exit 9;; esac; seen=1;; esac; done\ntest -n \"$seen\" || exit 8\necho '[]'\n"
    toolchain = tmp_path / "home" / ".rustup" / "toolchains" / "stable-x" / "bin"
    write(toolchain, {"rustfmt": stub})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", programs(tmp_path / "tools", node=NODE, gofmt=stub, rustfmt=stub))
    modules = {f"node_modules/.bin/{name}": stub for name in ("eslint", "prettier")}
    ground = Ground(write(tmp_path / "notes", {**modules, **dict.fromkeys(names, "x\n")}))
    operation = "lintCode" if tool == "eslint" else "formatCode"
    for path in (".", *names):
        assert as_array((await ground.call(operation, path=path))["tools"])


async def test_the_name_of_a_folder_never_means_a_file_of_arguments(tmp_path: Path) -> None:
    """Ruff and pytest read arguments from a file where a word begins with @."""
    files = {"@t/test_a.py": "import os\n\n\ndef test_a():\n    pass\n", "t": "--version\n"}
    ground = Ground(write(tmp_path / "notes", files))
    assert codes(await ground.call("lintCode", path="@t")) == [("@t/test_a.py", 1, "F401", True)]
    assert (await ground.call("formatCode", path="@t"))["changed"] == []
    assert (await ground.call("runTests", path="@t"))["passed"] == 1


@pytest.mark.usefixtures("tools")
async def test_rust_is_linted_formatted_and_tested(tmp_path: Path) -> None:
    """By the stable toolchain, with its registry and without its credentials; each finding once."""
    files = {"Cargo.toml": '[package]\nedition = "2018"\n', "src/lib.rs": "fn a() {}\n"}
    ground = Ground(write(tmp_path / "notes", files))
    lint = await ground.call("lintCode", path="src")
    assert codes(lint) == [("src/lib.rs", 2, "clippy::needless_return", False)]
    assert (await ground.call("formatCode", path="."))["changed"] == ["src/lib.rs"]
    run = await ground.call("runTests", path=".", filter="a")
    assert (run["passed"], run["failed"], run["skipped"], run["ok"]) == (1, 1, 1, False)
    assert as_object(as_array(run["failures"])[0])["trace"] == "assertion failed"
    write(ground.folder, {"broken": ""})
    assert "no targets" in await ground.refused("lintCode", path="src")
    assert "mismatched types" in str((await ground.call("runTests", path="."))["output"])


async def test_tools_that_are_missing_are_named_with_their_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A language whose tool is there still works; the other says how to get its own."""
    monkeypatch.setenv("PATH", str(tmp_path))
    files = {"a.go": "x", "a_test.go": "x", "b.rs": "x", "c.js": "x", "Cargo.toml": "", "d.py": "x = 1\n"}
    ground = Ground(write(tmp_path / "notes", {**files, "package.json": "{}"}))
    answer = await ground.call("lintCode", path=".")
    lines = {str(line["language"]): line for line in map(as_object, as_array(answer["tools"]))}
    assert (lines["python"]["ran"], lines["rust"]["ran"]) == (True, False)
    assert "rustup.rs" in str(lines["rust"]["remedy"])
    assert "go.dev" in await ground.refused("formatCode", path="a.go")
    assert "npm install" in await ground.refused("lintCode", path="c.js")
    assert "go test is not here" in await ground.refused("runTests", path="a_test.go")
    assert "rustup.rs" in await ground.refused("runTests", path="b.rs")


async def test_a_toolchain_without_a_stable_release_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shim of rustup alone cannot run inside."""
    monkeypatch.setenv("PATH", programs(tmp_path / "tools", cargo=CARGO))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    ground = Ground(write(tmp_path / "notes", {"Cargo.toml": "", "a.rs": "x"}))
    assert "rustup.rs" in await ground.refused("lintCode", path=".")


async def test_a_node_of_ones_own_is_shown_with_its_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script npm looks for the node beside it; a program in a home shows nothing of the home."""
    prefix = tmp_path / "versions" / "v24"
    npm = "lib/node_modules/npm/bin/npm-cli.js"
    write(prefix, {"bin/node": NODE, npm: "#!/usr/bin/env node\necho 3 passing\n"})
    (prefix / "bin" / "npm").symlink_to(f"../{npm}")
    monkeypatch.setenv("PATH", f"{prefix / 'bin'}:/usr/bin:/bin")
    assert (await node_folder(tmp_path).call("runTests", path="web"))["passed"] == 3
    monkeypatch.setenv("HOME", str(prefix))
    assert "eslint" in await node_folder(tmp_path).refused("lintCode", path="web")


@pytest.mark.parametrize("package", ["no json", '{"scripts": {}}'])
async def test_a_package_without_a_script_of_tests_has_none(tmp_path: Path, package: str) -> None:
    """Whatever stands in its file."""
    ground = Ground(write(tmp_path / "notes", {"package.json": package, "a.js": "1"}))
    assert "no tests" in await ground.refused("runTests", path=".")


async def test_the_folders_own_environment_runs_its_tests(tmp_path: Path) -> None:
    """When pytest is in it; what it says of its base is believed only when there is one."""
    stub = "#!/bin/sh\necho own environment >&2\nexit 3\n"
    files = {
        "test_a.py": "def test_a():\n    pass\n",
        ".venv/bin/python": stub,
        ".venv/lib/python3.11/site-packages/pytest/__init__.py": "",
        ".venv/pyvenv.cfg": f"home = {Path(sys.base_prefix) / 'bin'}\n",
    }
    ground = Ground(write(tmp_path / "notes", files))
    assert "own environment" in str((await ground.call("runTests", path="."))["output"])
    for settings in ("home = /root\n", f"home = {tmp_path}/bin\n", "[[[", "nothing = x\n"):
        write(ground.folder, {".venv/pyvenv.cfg": settings})
        assert (await ground.call("runTests", path="."))["passed"] == 1
    write(ground.folder, {".venv/pyvenv.cfg": files[".venv/pyvenv.cfg"]})
    (ground.folder / ".venv/lib/python3.11/site-packages/pytest/__init__.py").unlink()
    assert (await ground.call("runTests", path="."))["passed"] == 1
