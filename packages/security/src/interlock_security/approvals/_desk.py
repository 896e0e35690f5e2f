"""Where questions wait for people.

The rules, in this order:

1. Only a question that is pending and has not expired is answered, by each person once.
2. Where others must answer, who asked does not; what a key may do, its user did.
3. Whoever answers may administer `approvals`, or asked and may answer their own (`approvals.own`).
4. One no ends it; as many people as are asked for must say yes.
5. A yes counts for exactly the call that was shown, until it expires, once.

Not covered: whether the person who answers has read what is shown.
"""

from interlock_core.call import Call, Principal
from interlock_core.clock import Clock, SystemClock
from interlock_core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from interlock_core.ids import new_id
from interlock_core.jsontypes import as_array, as_text, dump_json, parse_json
from interlock_core.protocols import Prepared, Redactor
from interlock_core.store import Row, Store
from interlock_security._changes import ChangeLog
from interlock_security.approvals._record import (
    ApprovalAnswer,
    ApprovalState,
    PendingApproval,
    request_digest,
    shown_request,
)
from interlock_security.permissions import PermissionChecker

_ASKED = (
    "SELECT id FROM approvals_asked WHERE digest = ? AND expires_at > ? AND people = ? AND others = ?"
    " AND state IN ('pending', 'granted', 'denied') ORDER BY asked_at DESC LIMIT 1"
)
_WAITING = "SELECT COUNT(*) FROM approvals_asked WHERE user_name = ? AND state = 'pending' AND expires_at > ?"
_INSERT = (
    "INSERT INTO approvals_asked (id, digest, state, tool, effect, user_name, agent, run, taint, shown,"
    " people, others, asked_at, expires_at) VALUES (?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_GET = (
    "SELECT id, digest, state, tool, effect, user_name, agent, run, taint, shown, people, others, asked_at,"
    " expires_at FROM approvals_asked WHERE id = ?"
)
_LIST = (
    "SELECT id, digest, state, tool, effect, user_name, agent, run, taint, shown, people, others, asked_at,"
    " expires_at FROM approvals_asked WHERE (? = 1 OR (state = 'pending' AND expires_at > ?))"
    " AND (? = 1 OR user_name = ?) ORDER BY asked_at DESC, id LIMIT ?"
)
_LONGEST_SHOWN = 64_000
_LONGEST_REASON = 500
_MOST_LISTED = 1_000
_LOCK = "approvals"
_MICRO = 1e6


class ApprovalDesk:
    """Questions that wait for people, and their answers.

    Args:
        store: Where they are kept.
        checker: Says who may answer.
        changes: Where each answer is recorded before it counts.
        redactor: Hides secrets in what is shown.
        clock: Tells the time.
        valid_s: Seconds after which a question, and a yes that was not used, expires.
        most_pending: Most questions of one user that wait at a time.
    """

    __slots__ = ("_changes", "_checker", "_clock", "_most_pending", "_redactor", "_store", "_valid_s")

    def __init__(
        self,
        store: Store,
        *,
        checker: PermissionChecker,
        changes: ChangeLog,
        redactor: Redactor,
        clock: Clock | None = None,
        valid_s: float = 3600.0,
        most_pending: int = 200,
    ) -> None:
        self._most_pending = most_pending
        self._store = store
        self._checker = checker
        self._changes = changes
        self._redactor = redactor
        self._clock = clock or SystemClock()
        self._valid_s = valid_s

    async def ask(self, call: Call, prepared: Prepared, *, people: int, others: bool) -> PendingApproval:
        """Put a question; the one that waits already, where the very same call was asked about before.

        Args:
            call: The call.
            prepared: Exactly what would be sent.
            people: How many must say yes.
            others: Whether who asks counts for nobody.

        Raises:
            ConflictError: Too many questions of this user wait.
            StoreError: It could not be kept.
        """
        digest = request_digest(call, prepared)
        now = self._now()
        async with self._store.transaction(lock=_LOCK) as transaction:
            known = await transaction.fetch_one(_ASKED, (digest, now, people, int(others)))
            if known is not None:
                name = str(known[0])
            else:
                waiting = await transaction.fetch_one(_WAITING, (call.principal.user, now))
                if waiting is not None and int(waiting[0] or 0) >= self._most_pending:
                    raise ConflictError(
                        f"{self._most_pending} questions of {call.principal.user} wait already.",
                        remedy="Have them answered first: interlock approvals list.",
                    )
                name = new_id("apr")
                row = (
                    *(name, digest, call.name, call.effect.value, call.principal.user, call.agent, call.run),
                    *(dump_json([taint.source for taint in call.taint]), self._shown(prepared), people),
                    *(int(others), now, now + int(self._valid_s * _MICRO)),
                )
                await transaction.execute(_INSERT, row)
        return await self.get(name)

    async def get(self, approval: str) -> PendingApproval:
        """One question with its answers.

        Raises:
            NotFoundError: There is none of that id.
            StoreError: It cannot be read.
        """
        row = await self._store.fetch_one(_GET, (approval,))
        if row is None:
            raise NotFoundError(
                f"There is no approval {approval[:80]}.",
                field="approval",
                remedy="See interlock approvals list.",
            )
        return self._record(row, await self._answers(approval))

    async def list(self, *, by: Principal, every: bool = False) -> tuple[PendingApproval, ...]:
        """The questions that `by` may see, the newest first: all of them, or one's own.

        Args:
            by: Who looks.
            every: Those that are answered or over as well.

        Raises:
            PermissionDeniedError: `by` may see none.
            StoreError: They cannot be read.
        """
        everybody = self._checker.may_manage(by, "approvals.read").allowed
        own = self._checker.may_manage(by, "approvals.own")
        if not everybody and not own.allowed:
            raise PermissionDeniedError(own.reason, field="approvals")
        rows = await self._store.fetch_all(
            _LIST, (int(every), self._now(), int(everybody), by.user, _MOST_LISTED)
        )
        return tuple([self._record(row, await self._answers(str(row[0]))) for row in rows])

    async def answer(
        self, approval: str, *, by: Principal, granted: bool, reason: str = ""
    ) -> PendingApproval:
        """Answer a question.

        Raises:
            NotFoundError: There is none of that id.
            PermissionDeniedError: `by` may not answer it, or asked where others must answer.
            ConflictError: It was answered, used or has expired, or `by` has answered it.
            InvalidRequestError: The reason is too long.
            AuditUnavailableError: It could not be recorded, so it does not count.
            StoreError: It could not be kept.
        """
        if len(reason) > _LONGEST_REASON:
            raise InvalidRequestError(f"A reason has at most {_LONGEST_REASON} characters.", field="reason")
        asked = await self.get(approval)
        self._require(asked, by, granted=granted)
        _open(asked, by)
        facts = {"approval": asked.id, "tool": asked.tool, "user": asked.user, "digest": asked.digest}
        name = "approvals.approve" if granted else "approvals.deny"
        async with self._changes.change(name, by, {**facts, "reason": reason}):
            await self._keep(approval, by.user, granted=granted, reason=reason)
        return await self.get(approval)

    async def use(self, asked: PendingApproval, call: Call, prepared: Prepared) -> bool:
        """Use up a yes for the call that it was given for; whether there was one. It is used once.

        Raises:
            StoreError: It cannot be kept.
        """
        if request_digest(call, prepared) != asked.digest:
            return False
        changed = await self._store.execute(
            "UPDATE approvals_asked SET state = 'used' WHERE id = ? AND state = 'granted' AND expires_at > ?",
            (asked.id, self._now()),
        )
        return changed == 1

    # ---- inside

    async def _keep(self, approval: str, user: str, *, granted: bool, reason: str) -> None:
        """Keep an answer, and what follows from it, while nobody else changes the question."""
        now = self._now()
        async with self._store.transaction(lock=_LOCK) as transaction:
            row = await transaction.fetch_one(
                "SELECT people FROM approvals_asked WHERE id = ? AND state = 'pending' AND expires_at > ?",
                (approval, now),
            )
            kept = 0
            if row is not None:
                kept = await transaction.execute(
                    "INSERT INTO approvals_answers (approval, user_name, granted, reason, at)"
                    " VALUES (?, ?, ?, ?, ?) ON CONFLICT (approval, user_name) DO NOTHING",
                    (approval, user, int(granted), reason, now),
                )
            if row is None or kept != 1:
                raise ConflictError("It was answered in the meantime.", field="approval")
            yes = await transaction.fetch_one(
                "SELECT COUNT(*) FROM approvals_answers WHERE approval = ? AND granted = 1", (approval,)
            )
            enough = yes is not None and int(yes[0] or 0) >= int(row[0] or 0)
            if not granted or enough:
                state = ApprovalState.GRANTED if granted else ApprovalState.DENIED
                await transaction.execute(
                    "UPDATE approvals_asked SET state = ? WHERE id = ?", (state.value, approval)
                )

    def _require(self, asked: PendingApproval, by: Principal, *, granted: bool) -> None:
        own = by.user == asked.user
        if own and asked.others and granted:
            raise PermissionDeniedError(
                "Somebody else than who asked must approve this call.", field="approval"
            )
        verdict = self._checker.may_manage(by, "approvals.write")
        if not verdict.allowed and own:
            verdict = self._checker.may_manage(by, "approvals.own")
        if not verdict.allowed:
            raise PermissionDeniedError(verdict.reason, field="approval")

    def _record(self, row: Row, answers: tuple[ApprovalAnswer, ...]) -> PendingApproval:
        (name, digest, state, tool, effect, user, agent, run, taint, shown, people, others, at, end) = row
        found = ApprovalState(str(state))
        waiting = found in {ApprovalState.PENDING, ApprovalState.GRANTED}
        if waiting and int(end or 0) <= self._now():
            found = ApprovalState.EXPIRED
        return PendingApproval(
            id=str(name),
            digest=str(digest),
            state=found,
            tool=str(tool),
            effect=str(effect),
            user=str(user),
            agent=None if agent is None else str(agent),
            run=None if run is None else str(run),
            taint=tuple(as_text(source) or "" for source in as_array(parse_json(str(taint)))),
            shown=str(shown),
            people=int(people or 0),
            others=bool(others),
            asked_at=float(at or 0) / _MICRO,
            expires_at=float(end or 0) / _MICRO,
            answers=answers,
        )

    async def _answers(self, approval: str) -> tuple[ApprovalAnswer, ...]:
        rows = await self._store.fetch_all(
            "SELECT user_name, granted, reason, at FROM approvals_answers"
            " WHERE approval = ? ORDER BY at, user_name",
            (approval,),
        )
        return tuple(
            ApprovalAnswer(user=str(user), granted=bool(yes), reason=str(reason), at=float(at or 0) / _MICRO)
            for user, yes, reason, at in rows
        )

    def _shown(self, prepared: Prepared) -> str:
        shown = self._redactor.text(shown_request(prepared))
        if len(shown) > _LONGEST_SHOWN:
            raise InvalidRequestError(
                "The call is too long to be shown whole, so nobody can approve it.", field="arguments"
            )
        return shown

    def _now(self) -> int:
        return int(self._clock.now() * _MICRO)


def _open(asked: PendingApproval, by: Principal) -> None:
    """Refuse an answer that comes too late or twice.

    Raises:
        ConflictError: It does.
    """
    if asked.state is not ApprovalState.PENDING:
        raise ConflictError(f"This approval is {asked.state.value} already.", field="approval")
    if any(answer.user == by.user for answer in asked.answers):
        raise ConflictError(f"{by.user} has answered this already.", field="approval")
