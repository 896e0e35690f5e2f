"""The statements of the store ledger; their columns stand in the order of `COUNTS` and `SKETCHES`."""

from typing import Final

READ: Final = """
SELECT kind, provider, model, task,
    requests, ok, cancelled, unanswered, attempts, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, usage_unknown, cost_micro_usd, cost_unknown, tool_calls,
    tool_calls_valid, judged, score, latency, first_token, input_sizes, output_sizes, failures
FROM metrics_spans
WHERE span = ? AND start >= ? AND start < ? AND kind = ?
"""

READ_SPANS: Final = """
SELECT span, start, kind, provider, model, task,
    requests, ok, cancelled, unanswered, attempts, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, usage_unknown, cost_micro_usd, cost_unknown, tool_calls,
    tool_calls_valid, judged, score, latency, first_token, input_sizes, output_sizes, failures
FROM metrics_spans
WHERE model = ? AND (
    (span = 60 AND start = ?) OR (span = 3600 AND start = ?) OR (span = 86400 AND start = ?)
    OR (span = 0 AND start = 0)
)
"""

PUT: Final = """
INSERT INTO metrics_spans (
    span, start, kind, provider, model, task,
    requests, ok, cancelled, unanswered, attempts, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, usage_unknown, cost_micro_usd, cost_unknown, tool_calls,
    tool_calls_valid, judged, score, latency, first_token, input_sizes, output_sizes, failures
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (span, start, kind, provider, model, task) DO UPDATE SET
    requests = excluded.requests,
    ok = excluded.ok,
    cancelled = excluded.cancelled,
    unanswered = excluded.unanswered,
    attempts = excluded.attempts,
    input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens,
    cache_read_tokens = excluded.cache_read_tokens,
    cache_write_tokens = excluded.cache_write_tokens,
    reasoning_tokens = excluded.reasoning_tokens,
    usage_unknown = excluded.usage_unknown,
    cost_micro_usd = excluded.cost_micro_usd,
    cost_unknown = excluded.cost_unknown,
    tool_calls = excluded.tool_calls,
    tool_calls_valid = excluded.tool_calls_valid,
    judged = excluded.judged,
    score = excluded.score,
    latency = excluded.latency,
    first_token = excluded.first_token,
    input_sizes = excluded.input_sizes,
    output_sizes = excluded.output_sizes,
    failures = excluded.failures
"""

COUNTERS: Final = "SELECT name, labels, value FROM metrics_counters"

COUNT: Final = """
INSERT INTO metrics_counters (name, labels, value)
VALUES (?, ?, ?)
ON CONFLICT (name, labels) DO UPDATE SET value = metrics_counters.value + excluded.value
"""

SIGNED: Final = "SELECT batch FROM metrics_writers WHERE writer = ?"

SIGN: Final = """
INSERT INTO metrics_writers (writer, batch, at)
VALUES (?, ?, ?)
ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, at = excluded.at
"""

KEEP: Final = """
INSERT INTO metrics_calls (
    id, call, at, run, kind, provider, model, task, error, duration_s, first_token_s,
    input_tokens, output_tokens, cost_micro_usd, attempts
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

CALLS: Final = """
SELECT id, call, at, run, kind, provider, model, task, error, duration_s, first_token_s,
    input_tokens, output_tokens, cost_micro_usd, attempts
FROM metrics_calls
WHERE at >= ? AND (run = ? OR ? = '')
ORDER BY at DESC, id DESC
LIMIT ?
"""

FORGET_SPANS: Final = "DELETE FROM metrics_spans WHERE span = ? AND start < ?"

FORGET_CALLS: Final = "DELETE FROM metrics_calls WHERE at < ?"

FORGET_WRITERS: Final = "DELETE FROM metrics_writers WHERE at < ?"
