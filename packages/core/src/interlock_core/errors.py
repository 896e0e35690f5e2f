"""Every error that Interlock raises, branched by who must act.

```
InterlockError
├── CallerError                 the one who asked: change the request
│   ├── InvalidRequestError     a field is wrong                              400
│   │   ├── ContextLengthError  the input does not fit the model              400
│   │   ├── ContentPolicyError  the vendor's policy refused the content       400
│   │   ├── UnsupportedError    the model or vendor cannot do this            400
│   │   └── SchemaError         data breaks its JSON Schema                   400
│   └── NotFoundError           no such model, tool, run, file …              404
├── RefusedError                a rule of this house said no                  403
│   ├── UnauthenticatedError    no key, or not a valid one                    401
│   ├── PermissionDeniedError   the principal may not                         403
│   ├── ApprovalDeniedError     nobody approved                               403
│   ├── EgressRefusedError      the address is not allowed                    403
│   ├── BudgetExceededError     the run or request reached its own budget     402
│   ├── QuotaExceededError      the period's money is spent                   429
│   ├── RateLimitedError        too many, or too much, just now               429
│   └── AuditUnavailableError   no record, so no action                       503
├── OperatorError               who runs Interlock: configuration or state    500
│   ├── ConfigurationError      a setting is wrong                            500
│   ├── CredentialError         a vendor or API refused our credential        502
│   ├── BillingError            a vendor wants money                          502
│   ├── MissingExtraError       an optional dependency is not installed       500
│   ├── StoreError              the database failed                           503
│   │   └── SchemaVersionError  the database is newer than this program       503
│   ├── ConflictError           the file declares it, so it is read-only here 409
│   └── VerificationError       a proof does not hold                         500
└── UpstreamError               the other side: wait, retry or choose another 502
    ├── UpstreamRateLimitError  the vendor's own limit                        429
    ├── OverloadedError         the vendor has no capacity                    503
    ├── UpstreamTimeoutError    no answer in time                             504
    ├── UpstreamConnectionError no connection, or it broke                    502
    └── ProtocolError           an answer that breaks its own format          502
        └── AnswerFormatError   a model's answer has not the form asked for   502
```

The class says what to do before any words do: `status` (HTTP), `exit_code` (command line),
`code` (stable, machine-readable) and `retryable` belong to it. An error's text is written for a
person; it never holds a secret, which is the duty of whoever raises it.
"""

from typing import ClassVar

from interlock_core.jsontypes import JsonObject
from interlock_core.limits import LimitState


class InterlockError(Exception):
    """The root of every error that Interlock raises.

    Args:
        message: One sentence that says what is wrong.
        field: The name of the field, option or setting that is wrong, as the user wrote it.
        remedy: One sentence that says what to do next.
        retry_after: Seconds after which the same call may succeed; None when unknown.
        vendor: Name of the provider or API that answered, when one did.
        vendor_status: Its HTTP status.
        vendor_code: Its own error code.
        request_id: Its own id of the request.
    """

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        remedy: str | None = None,
        retry_after: float | None = None,
        vendor: str | None = None,
        vendor_status: int | None = None,
        vendor_code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.remedy = remedy
        self.retry_after = retry_after
        self.vendor = vendor
        self.vendor_status = vendor_status
        self.vendor_code = vendor_code
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message

    def as_json(self) -> JsonObject:
        """The error as a JSON object, without the fields that are None."""
        facts: JsonObject = {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "remedy": self.remedy,
            "retry_after": self.retry_after,
            "vendor": self.vendor,
            "vendor_status": self.vendor_status,
            "vendor_code": self.vendor_code,
            "request_id": self.request_id,
        }
        return {name: value for name, value in facts.items() if value is not None}


class CallerError(InterlockError):
    """The one who asked must change the request."""

    status = 400
    code = "invalid_request"


class InvalidRequestError(CallerError):
    """A field of the request is wrong."""


class ContextLengthError(InvalidRequestError):
    """The input does not fit the model's context."""

    code = "context_length_exceeded"


class ContentPolicyError(InvalidRequestError):
    """The vendor's policy refused the content."""

    code = "content_policy"


class UnsupportedError(InvalidRequestError):
    """The chosen model or vendor cannot do what was asked; the remedy names the nearest that can."""

    code = "unsupported"


class SchemaError(InvalidRequestError):
    """Data breaks its JSON Schema; `problems` lists each place."""

    code = "schema_invalid"

    def __init__(
        self,
        message: str,
        *,
        problems: tuple[str, ...] = (),
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, field=field, remedy=remedy)
        self.problems = problems


class NotFoundError(CallerError):
    """There is no such model, tool, run or file; the remedy names the nearest ones."""

    status = 404
    exit_code = 2
    code = "not_found"


class RefusedError(InterlockError):
    """A rule of this house said no; nothing was done."""

    status = 403
    exit_code = 3
    code = "refused"


class UnauthenticatedError(RefusedError):
    """There was no key, or not a valid one."""

    status = 401
    code = "unauthenticated"


class PermissionDeniedError(RefusedError):
    """The principal may not do this."""

    code = "permission_denied"


class ApprovalDeniedError(RefusedError):
    """A person said no, or nobody answered, which is a no."""

    code = "approval_denied"


class EgressRefusedError(RefusedError):
    """The address is not one that this call may reach."""

    code = "egress_refused"


class BudgetExceededError(RefusedError):
    """The run or request reached the budget that it came with."""

    status = 402
    code = "budget_exceeded"


class QuotaExceededError(RefusedError):
    """The period's money is spent or reserved."""

    status = 429
    code = "quota_exceeded"


class RateLimitedError(RefusedError):
    """Too many calls, or too much of something, just now; `retry_after` says when to come back.

    Attributes:
        limits: The limits that the call fell under, those without room among them.
    """

    status = 429
    code = "rate_limited"
    limits: tuple[LimitState, ...] = ()


class AuditUnavailableError(RefusedError):
    """The audit log cannot be written, so no call with side effects is made."""

    status = 503
    code = "audit_unavailable"


class OperatorError(InterlockError):
    """Whoever runs Interlock must act: configuration, credentials or state."""

    exit_code = 4
    code = "operator"


class ConfigurationError(OperatorError):
    """A setting is wrong; `field` names it with its file and line where known."""

    code = "configuration"


class CredentialError(OperatorError):
    """A vendor or API refused the credential that we sent."""

    status = 502
    code = "credential_refused"


class BillingError(OperatorError):
    """A vendor refuses until it is paid."""

    status = 502
    code = "billing"


class MissingExtraError(OperatorError):
    """An optional dependency is not installed; the remedy is the command that installs it."""

    code = "missing_extra"


class StoreError(OperatorError):
    """The database could not be read or written."""

    status = 503
    code = "store"


class SchemaVersionError(StoreError):
    """The database was written by a newer version of this program."""

    code = "schema_version"


class ConflictError(OperatorError):
    """The configuration file declares this, so it is read-only elsewhere."""

    status = 409
    code = "conflict"


class VerificationError(OperatorError):
    """A proof does not hold: records were changed, or are not what they claim to be."""

    exit_code = 5
    code = "verification_failed"


class UpstreamError(InterlockError):
    """The other side failed: wait, retry, or choose another."""

    status = 502
    code = "upstream"
    retryable = True


class UpstreamRateLimitError(UpstreamError):
    """The vendor's own limit was reached."""

    status = 429
    code = "upstream_rate_limited"


class OverloadedError(UpstreamError):
    """The vendor has no capacity just now."""

    status = 503
    code = "overloaded"


class UpstreamTimeoutError(UpstreamError):
    """The other side did not answer in time."""

    status = 504
    code = "upstream_timeout"


class UpstreamConnectionError(UpstreamError):
    """No connection could be made, or it broke."""

    code = "upstream_connection"


class ProtocolError(UpstreamError):
    """The other side's answer breaks its own format."""

    code = "upstream_protocol"


class AnswerFormatError(ProtocolError):
    """A model's answer has not the form that was asked for, in spite of every attempt."""

    code = "answer_format"
