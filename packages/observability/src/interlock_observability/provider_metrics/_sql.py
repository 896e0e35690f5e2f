"""The statements of the store ledger; their columns stand in the order of `COUNTS` and `SKETCHES`."""

from typing import Final

READ: Final = """
SELECT kind, provider, model, task,
    requests, ok, cancelled, unanswered, attempts, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, usage_unknown, cost_micro_usd, cost_unknown, tool_calls,
    tool_calls_valid, judged, score, score_squares, latency, first_token, input_sizes,
    output_sizes, scores, failures
FROM metrics_spans
WHERE span = ? AND start >= ? AND start < ? AND kind = ?
"""

READ_SPANS: Final = """
SELECT span, start, kind, provider, model, task,
    requests, ok, cancelled, unanswered, attempts, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, usage_unknown, cost_micro_usd, cost_unknown, tool_calls,
    tool_calls_valid, judged, score, score_squares, latency, first_token, input_sizes,
    output_sizes, scores, failures
FROM metrics_spans
WHERE model = ? AND (
    (span = 60 AND start = ?) OR (span = 3600 AND start = ?) OR (span = 86400 AND start = ?)
    OR (span = 691200 AND start = ?) OR (span = 0 AND start = 0)
)
"""

PUT: Final = """
INSERT INTO metrics_spans (
    span, start, kind, provider, model, task,
    requests, ok, cancelled, unanswered, attempts, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, usage_unknown, cost_micro_usd, cost_unknown, tool_calls,
    tool_calls_valid, judged, score, score_squares, latency, first_token, input_sizes,
    output_sizes, scores, failures
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
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
    score_squares = excluded.score_squares,
    latency = excluded.latency,
    first_token = excluded.first_token,
    input_sizes = excluded.input_sizes,
    output_sizes = excluded.output_sizes,
    scores = excluded.scores,
    failures = excluded.failures
"""

SUMS: Final = """
SELECT kind, provider, model, task,
    CAST(SUM(requests) AS BIGINT), CAST(SUM(ok) AS BIGINT), CAST(SUM(cancelled) AS BIGINT),
    CAST(SUM(unanswered) AS BIGINT), CAST(SUM(attempts) AS BIGINT), CAST(SUM(input_tokens) AS BIGINT),
    CAST(SUM(output_tokens) AS BIGINT), CAST(SUM(cache_read_tokens) AS BIGINT),
    CAST(SUM(cache_write_tokens) AS BIGINT), CAST(SUM(reasoning_tokens) AS BIGINT),
    CAST(SUM(usage_unknown) AS BIGINT), CAST(SUM(cost_micro_usd) AS BIGINT),
    CAST(SUM(cost_unknown) AS BIGINT), CAST(SUM(tool_calls) AS BIGINT),
    CAST(SUM(tool_calls_valid) AS BIGINT), CAST(SUM(judged) AS BIGINT), SUM(score), SUM(score_squares)
FROM metrics_spans
WHERE span = ? AND start >= ? AND start < ? AND kind = ?
GROUP BY kind, provider, model, task
"""

TIMES: Final = """
SELECT kind, provider, model, task, latency, first_token, failures
FROM metrics_spans
WHERE span = ? AND start >= ? AND start < ? AND kind = ?
"""

SCORES: Final = """
SELECT kind, provider, model, task, scores
FROM metrics_spans
WHERE span = ? AND start >= ? AND start < ? AND kind = ? AND judged > 0
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
    input_tokens, output_tokens, cost_micro_usd, attempts, score
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

CALLS: Final = """
SELECT id, call, at, run, kind, provider, model, task, error, duration_s, first_token_s,
    input_tokens, output_tokens, cost_micro_usd, attempts, score
FROM metrics_calls
WHERE at >= ? AND (run = ? OR ? = '')
ORDER BY at DESC, id DESC
LIMIT ?
"""

RATED: Final = """
SELECT id, call, at, run, kind, provider, model, task, error, duration_s, first_token_s,
    input_tokens, output_tokens, cost_micro_usd, attempts, score
FROM metrics_calls
WHERE run = ? AND kind = 'model'
ORDER BY at DESC, id DESC
LIMIT 1
"""

RATE: Final = "UPDATE metrics_calls SET score = ? WHERE id = ?"

COMPARE: Final = """
INSERT INTO metrics_comparisons (start, task, first, second, wins, ties, losses)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (start, task, first, second) DO UPDATE SET
    wins = metrics_comparisons.wins + excluded.wins,
    ties = metrics_comparisons.ties + excluded.ties,
    losses = metrics_comparisons.losses + excluded.losses
"""

COMPARED: Final = """
SELECT start, task, first, second, wins, ties, losses
FROM metrics_comparisons
WHERE start > ? AND start < ?
"""

ROLLED: Final = "SELECT until FROM metrics_rolled WHERE span = 691200"

ROLL: Final = """
INSERT INTO metrics_rolled (span, until)
VALUES (691200, ?)
ON CONFLICT (span) DO UPDATE SET until = excluded.until
"""

FIRST_DAY: Final = "SELECT MIN(start) FROM metrics_spans WHERE span = 86400"

DAYS: Final = """
SELECT kind, provider, model, task,
    requests, ok, cancelled, unanswered, attempts, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens, usage_unknown, cost_micro_usd, cost_unknown, tool_calls,
    tool_calls_valid, judged, score, score_squares, latency, first_token, input_sizes,
    output_sizes, scores, failures
FROM metrics_spans
WHERE span = 86400 AND start >= ? AND start < ?
"""
