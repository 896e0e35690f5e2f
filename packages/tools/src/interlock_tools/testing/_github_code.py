"""What the stand-in's endpoints about code do: branches, files, commits, pull requests and workflow runs."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from interlock_core.jsontypes import Json, JsonObject, as_text
from interlock_tools.testing._github_answer import Answer
from interlock_tools.testing._github_code_store import CodeBranch, CodeCommit, CodePull, CodeStore
from interlock_tools.testing._github_fields import ApiError, Fields, parse_object, whole_number
from interlock_tools.testing._github_json import Renderer, timestamp
from interlock_tools.testing._github_store import RepositoryStore
from interlock_tools.testing._wire import Request

_STATES = {"open", "closed", "all"}
_VERDICTS = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
_LOG = "2027-01-15T08:00:00Z ##[group]Run tests\n2027-01-15T08:00:01Z 12 passed\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAnswer:
    """What an endpoint gives: an answer, or rows to be given page by page, alone or within an object."""

    answer: Answer
    rows: tuple[Sequence[JsonObject]] | None = None


def code_answer(
    code: CodeStore, request: Request, rest: Sequence[str], render: Renderer, store: RepositoryStore
) -> CodeAnswer | None:
    """The answer of an endpoint about code; None when the address is none of one.

    Raises:
        ApiError: 404, 405, 409 or 422.
    """
    if rest[:1] == ("contents",):
        rest = ("contents", "/".join(rest[1:]))
    asked = _Asked(code, request, render, store, store.now)
    for method, pattern, handler in _ROUTES:
        parts = pattern.split("/")
        same = len(parts) == len(rest) and all(
            part in {"*", given} for part, given in zip(parts, rest, strict=True)
        )
        if same and method == request.method:
            return handler(asked, *(value for part, value in zip(parts, rest, strict=True) if part == "*"))
    return None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request with what answering it needs."""

    code: CodeStore
    request: Request
    render: Renderer
    store: RepositoryStore
    now: Callable[[], datetime]

    def branch(self, name: str) -> CodeBranch:
        found = self.code.branches.get(name)
        if found is None:
            raise ApiError(404, "Branch not found")
        return found

    def pull(self, number: str) -> CodePull:
        found = self.code.pulls.get(whole_number(number) or 0)
        if found is None:
            raise ApiError(404, "Not Found")
        return found

    def fields(self, resource: str) -> Fields:
        return Fields(resource, parse_object(self.request.body))

    # ---- what things look like

    def shown_pull(self, pull: CodePull) -> JsonObject:
        spots: dict[str, Json] = {
            side: {"label": f"{self.render.owner}:{name}", "ref": name, "sha": self.tip(name)}
            for side, name in (("head", pull.head), ("base", pull.base))
        }
        differing = self.differing(pull)
        merged = timestamp(pull.merged_at) if pull.merged_at is not None else None
        moment = timestamp(pull.created_at)
        return {
            "id": 4_000_000 + pull.number,
            "number": pull.number,
            "state": pull.state,
            "title": pull.title,
            "body": pull.body,
            "draft": pull.draft,
            "html_url": f"{self.render.page}/pull/{pull.number}",
            "user": self.render.user(self.render.login),
            **spots,
            "labels": [],
            "merged": pull.merged_at is not None,
            "mergeable": pull.state == "open",
            "merge_commit_sha": pull.merge_sha,
            "commits": 1,
            "additions": len(differing),
            "deletions": 0,
            "changed_files": len(differing),
            "created_at": moment,
            "updated_at": merged or moment,
            "closed_at": merged,
            "merged_at": merged,
        }

    def tip(self, name: str) -> str:
        branch = self.code.branches.get(name)
        return branch.commits[-1].sha if branch is not None and branch.commits else "0" * 40

    def differing(self, pull: CodePull) -> list[str]:
        head = self.code.branches.get(pull.head, CodeBranch(commits=[], files={}))
        base = self.branch(pull.base)
        return sorted(path for path, data in head.files.items() if base.files.get(path) != data)

    def shown_commit(self, commit: CodeCommit) -> JsonObject:
        person: JsonObject = {
            "name": self.render.login,
            "email": f"{self.render.login}@users.noreply.github.com",
            "date": timestamp(commit.date),
        }
        return {
            "sha": commit.sha,
            "html_url": f"{self.render.page}/commit/{commit.sha}",
            "commit": {"message": commit.message, "author": person, "committer": person},
            "author": self.render.user(self.render.login),
        }

    def shown_file(self, path: str, data: bytes, *, content: bool) -> JsonObject:
        shown: JsonObject = {
            "type": "file",
            "name": path.rpartition("/")[2],
            "path": path,
            "sha": _blob(data),
            "size": len(data),
            "html_url": f"{self.render.page}/blob/main/{path}",
        }
        text = base64.encodebytes(data).decode()
        return {**shown, "encoding": "base64", "content": text} if content else shown


_Handler: TypeAlias = Callable[..., CodeAnswer]


def _rows(rows: Sequence[JsonObject]) -> CodeAnswer:
    return CodeAnswer(answer=Answer(value=None), rows=(rows,))


def _one(value: Json, status: int = 200) -> CodeAnswer:
    return CodeAnswer(answer=Answer(value=value, status=status))


def _assignees(asked: _Asked) -> CodeAnswer:
    return _rows([asked.render.user(asked.render.owner)])


def _list_pulls(asked: _Asked) -> CodeAnswer:
    query = Fields("PullRequest", {**asked.request.query})
    state = query.choice("state", _STATES) or "open"
    query.check()
    base = asked.request.query.get("base")
    pulls = sorted(asked.code.pulls.values(), key=lambda pull: -pull.number)
    wanted = [pull for pull in pulls if state in {"all", pull.state} and base in {None, pull.base}]
    return _rows([asked.shown_pull(pull) for pull in wanted])


def _create_pull(asked: _Asked) -> CodeAnswer:
    fields = asked.fields("PullRequest")
    title = fields.text("title", most=256, required=True)
    head = (fields.text("head", most=256, required=True) or "").rpartition(":")[2]
    base = fields.text("base", most=256, required=True) or ""
    for name, branch in (("head", head), ("base", base)):
        if branch and branch not in asked.code.branches:
            fields.problem(name, "invalid")
    fields.check()
    pull = CodePull(
        number=asked.store.next_number(),
        title=title or "",
        body=fields.text("body", most=65_536),
        head=head,
        base=base,
        draft=fields.values.get("draft") is True,
        created_at=asked.now(),
    )
    if not asked.differing(pull):
        message = f"No commits between {base} and {head}"
        error: JsonObject = {"resource": "PullRequest", "code": "custom", "message": message}
        raise ApiError(422, "Validation Failed", errors=[error])
    asked.code.pulls[pull.number] = pull
    asked.store.pull_requests += 1
    return _one(asked.shown_pull(pull), 201)


def _get_pull(asked: _Asked, number: str) -> CodeAnswer:
    return _one(asked.shown_pull(asked.pull(number)))


def _update_pull(asked: _Asked, number: str) -> CodeAnswer:
    pull = asked.pull(number)
    fields = asked.fields("PullRequest")
    title = fields.text("title", most=256)
    state = fields.choice("state", {"open", "closed"})
    body = fields.text("body", most=65_536)
    fields.check()
    pull.title = title or pull.title
    pull.state = state or pull.state
    pull.body = body if "body" in fields else pull.body
    return _one(asked.shown_pull(pull))


def _files(asked: _Asked, number: str) -> CodeAnswer:
    pull = asked.pull(number)
    base = asked.branch(pull.base)
    return _rows(
        [
            {
                "sha": _blob(asked.branch(pull.head).files[path]),
                "filename": path,
                "status": "modified" if path in base.files else "added",
                "additions": 1,
                "deletions": 0,
                "changes": 1,
                "patch": "@@ -0,0 +1 @@",
            }
            for path in asked.differing(pull)
        ]
    )


def _shown_review(asked: _Asked, index: int, verdict: str, body: str) -> JsonObject:
    return {
        "id": 5_000_000 + index,
        "user": asked.render.user(asked.render.login),
        "body": body,
        "state": verdict,
        "submitted_at": timestamp(asked.now()),
        "commit_id": None,
    }


def _reviews(asked: _Asked, number: str) -> CodeAnswer:
    reviews = enumerate(asked.pull(number).reviews)
    return _rows([_shown_review(asked, index, verdict, body) for index, (verdict, body) in reviews])


def _review(asked: _Asked, number: str) -> CodeAnswer:
    pull = asked.pull(number)
    fields = asked.fields("PullRequestReview")
    event = fields.choice("event", set(_VERDICTS))
    body = fields.text("body", most=65_536, required=event in {"REQUEST_CHANGES", "COMMENT"})
    fields.check()
    pull.reviews.append((_VERDICTS.get(event or "", "PENDING"), body or ""))
    return _one(_shown_review(asked, len(pull.reviews) - 1, *pull.reviews[-1]))


def _merge(asked: _Asked, number: str) -> CodeAnswer:
    pull = asked.pull(number)
    fields = asked.fields("PullRequest")
    fields.choice("merge_method", {"merge", "squash", "rebase"})
    sha = fields.text("sha", most=64)
    fields.check()
    if pull.state != "open":
        raise ApiError(405, "Pull Request is not mergeable")
    if sha is not None and sha != asked.tip(pull.head):
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    files = {path: asked.branch(pull.head).files[path] for path in asked.differing(pull)}
    made = asked.code.commit(pull.base, files, f"Merge pull request #{pull.number}")
    pull.state, pull.merged_at, pull.merge_sha = "closed", asked.now(), made.sha
    return _one({"sha": made.sha, "merged": True, "message": "Pull Request successfully merged"})


def _shown_branch(asked: _Asked, name: str) -> JsonObject:
    return {"name": name, "commit": {"sha": asked.tip(name)}, "protected": False}


def _branches(asked: _Asked) -> CodeAnswer:
    return _rows([_shown_branch(asked, name) for name in sorted(asked.code.branches)])


def _branch(asked: _Asked, name: str) -> CodeAnswer:
    asked.branch(name)
    return _one(_shown_branch(asked, name))


def _create_ref(asked: _Asked) -> CodeAnswer:
    fields = asked.fields("Reference")
    ref = fields.text("ref", most=256, required=True) or ""
    sha = fields.text("sha", most=64, required=True)
    fields.check()
    name = ref.removeprefix("refs/heads/")
    source = next((b for b in asked.code.branches.values() if b.commits and b.commits[-1].sha == sha), None)
    if source is None:
        raise ApiError(422, "Object does not exist")
    if name in asked.code.branches:
        raise ApiError(422, "Reference already exists")
    asked.code.branches[name] = CodeBranch(commits=[*source.commits], files={**source.files})
    return _one({"ref": ref, "object": {"sha": sha, "type": "commit"}}, 201)


def _commits(asked: _Asked) -> CodeAnswer:
    branch = asked.branch(asked.request.query.get("sha") or "main")
    path = asked.request.query.get("path")
    wanted = [commit for commit in reversed(branch.commits) if path is None or path in commit.paths]
    return _rows([asked.shown_commit(commit) for commit in wanted])


def _commit(asked: _Asked, ref: str) -> CodeAnswer:
    branch = asked.code.branches.get(ref)
    everywhere = [one for each in asked.code.branches.values() for one in each.commits]
    every = branch.commits[-1:] if branch is not None else everywhere
    found = next((commit for commit in every if branch is not None or commit.sha == ref), None)
    if found is None:
        raise ApiError(422, f"No commit found for SHA: {ref}")
    return _one(asked.shown_commit(found))


def _content(asked: _Asked, path: str) -> CodeAnswer:
    files = asked.branch(asked.request.query.get("ref") or "main").files
    wanted = path.strip("/")
    if wanted in files:
        return _one(asked.shown_file(wanted, files[wanted], content=True))
    prefix = f"{wanted}/" if wanted else ""
    inside: dict[str, JsonObject] = {}
    for name, data in sorted(files.items()):
        if name.startswith(prefix):
            first, slash, _ = name[len(prefix) :].partition("/")
            folder: JsonObject = {"type": "dir", "name": first, "path": prefix + first}
            folder["sha"] = _blob(first.encode())
            inside.setdefault(first, folder if slash else asked.shown_file(name, data, content=False))
    if not inside:
        raise ApiError(404, "Not Found")
    return _one([*inside.values()])


def _write(asked: _Asked, path: str) -> CodeAnswer:
    fields = asked.fields("Content")
    message = fields.text("message", most=65_536, required=True)
    content = as_text(fields.values.get("content"))
    if content is None:
        fields.problem("content", "missing_field")
    fields.check()
    branch = fields.text("branch", most=256) or "main"
    files = asked.branch(branch).files
    old = files.get(path)
    sha = fields.text("sha", most=64)
    if old is not None and sha is None:
        raise ApiError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if old is not None and sha != _blob(old):
        raise ApiError(409, f"{path} does not match {sha}")
    data = base64.b64decode(content or "")
    made = asked.code.commit(branch, {path: data}, message or "")
    shown = asked.shown_file(path, data, content=False)
    value: JsonObject = {"content": shown, "commit": {"sha": made.sha, "message": made.message}}
    return _one(value, 201 if old is None else 200)


def _workflows(asked: _Asked) -> CodeAnswer:
    workflow: JsonObject = {
        "id": 161,
        "name": "CI",
        "path": ".github/workflows/ci.yml",
        "state": "active",
        "html_url": f"{asked.render.page}/blob/main/.github/workflows/ci.yml",
    }
    return _one({"total_count": 1, "workflows": [workflow]})


def _dispatch(asked: _Asked, workflow: str) -> CodeAnswer:
    if workflow not in {"ci.yml", "161"}:
        raise ApiError(404, "Not Found")
    fields = asked.fields("Workflow")
    ref = fields.text("ref", most=256, required=True) or ""
    fields.check()
    if ref not in asked.code.branches:
        raise ApiError(422, f"No ref found for: {ref}")
    number = len(asked.code.runs) + 1
    moment = timestamp(asked.now())
    asked.code.runs.append(
        {
            "id": 7_000_000 + number,
            "name": "CI",
            "run_number": number,
            "event": "workflow_dispatch",
            "status": "completed",
            "conclusion": "success",
            "head_branch": ref,
            "head_sha": asked.tip(ref),
            "workflow_id": 161,
            "html_url": f"{asked.render.page}/actions/runs/{7_000_000 + number}",
            "created_at": moment,
            "updated_at": moment,
        }
    )
    return _one(None, 204)


def _runs(asked: _Asked) -> CodeAnswer:
    branch = asked.request.query.get("branch")
    runs: list[Json] = [
        run for run in reversed(asked.code.runs) if branch is None or run["head_branch"] == branch
    ]
    return _one({"total_count": len(runs), "workflow_runs": runs})


def _run(asked: _Asked, number: str) -> CodeAnswer:
    return _one(_found_run(asked, number))


def _found_run(asked: _Asked, number: str) -> JsonObject:
    found = next((run for run in asked.code.runs if str(run["id"]) == number), None)
    if found is None:
        raise ApiError(404, "Not Found")
    return found


def _jobs(asked: _Asked, number: str) -> CodeAnswer:
    run = _found_run(asked, number)
    job: JsonObject = {
        "id": 8_000_000 + len(asked.code.runs),
        "run_id": run["id"],
        "name": "test",
        "status": "completed",
        "conclusion": "success",
        "started_at": run["created_at"],
        "completed_at": run["updated_at"],
        "html_url": run["html_url"],
        "steps": [{"name": "Run tests", "status": "completed", "conclusion": "success", "number": 1}],
    }
    return _one({"total_count": 1, "jobs": [job]})


def _rerun(asked: _Asked, number: str) -> CodeAnswer:
    run = _found_run(asked, number)
    count = len(asked.code.runs) + 1
    asked.code.runs.append({**run, "id": 7_000_000 + count, "run_number": count})
    return _one({}, 201)


def _log(_asked: _Asked, _job: str) -> CodeAnswer:
    headers = {"content-type": "text/plain; charset=utf-8"}
    return CodeAnswer(answer=Answer(value=None, headers=headers, text=_LOG))


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


_ROUTES: tuple[tuple[str, str, _Handler], ...] = (
    ("GET", "assignees", _assignees),
    ("GET", "pulls", _list_pulls),
    ("POST", "pulls", _create_pull),
    ("GET", "pulls/*", _get_pull),
    ("PATCH", "pulls/*", _update_pull),
    ("GET", "pulls/*/files", _files),
    ("GET", "pulls/*/reviews", _reviews),
    ("POST", "pulls/*/reviews", _review),
    ("PUT", "pulls/*/merge", _merge),
    ("GET", "branches", _branches),
    ("GET", "branches/*", _branch),
    ("POST", "git/refs", _create_ref),
    ("GET", "commits", _commits),
    ("GET", "commits/*", _commit),
    ("GET", "contents/*", _content),
    ("PUT", "contents/*", _write),
    ("GET", "actions/workflows", _workflows),
    ("POST", "actions/workflows/*/dispatches", _dispatch),
    ("GET", "actions/runs", _runs),
    ("GET", "actions/runs/*", _run),
    ("GET", "actions/runs/*/jobs", _jobs),
    ("POST", "actions/runs/*/rerun", _rerun),
    ("GET", "actions/jobs/*/logs", _log),
)
