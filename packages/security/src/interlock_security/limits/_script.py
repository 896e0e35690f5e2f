"""The scripts that count in Valkey or Redis. Each is one call, and the server's clock is the time.

A window is one hash: `used`, the numbers of its `head` and of the `next` entry, the moment of the `last`
charge, since when the newest entry is gathered (`first`), and under its number each entry as `moment:amount`.
Numbers begin at the time, so that none of a window that was forgotten means an entry of its successor. Slots
are one sorted set of holders by the end of their leases. A key expires when nothing in it counts any more.
"""

_TIME = """
local function text(number) return string.format('%.0f', number) end
local now = tonumber(ARGV[1])
local own = now > 0
if not own then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local function keep(key, span)
  local least = math.ceil(span / 1000) + 1000
  if own then least = least + 3600000 end
  redis.call('PEXPIRE', key, text(least))
end
"""

TAKE = (
    _TIME
    + """
local holder, most, walk = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local function entry(key, number)
  local at, amount = string.match(redis.call('HGET', key, text(number)), '^(%d+):(%d+)$')
  return tonumber(at), tonumber(amount)
end

local function window(claim)
  local key = claim.key
  local found = redis.call('HMGET', key, 'used', 'head', 'next', 'last', 'first')
  claim.now = math.max(now, tonumber(found[4]) or 0)
  claim.used, claim.head = tonumber(found[1]) or 0, tonumber(found[2]) or claim.now
  claim.next, claim.first = tonumber(found[3]) or claim.now, tonumber(found[5]) or 0
  local gone = 0
  while claim.head < claim.next do
    local at, amount = entry(key, claim.head)
    local room = claim.used + claim.amount <= claim.limit
    if at + claim.span > claim.now or (room and gone >= walk) then break end
    redis.call('HDEL', key, text(claim.head))
    claim.used, claim.head, gone = claim.used - amount, claim.head + 1, gone + 1
  end
  if gone > 0 then
    redis.call('HSET', key, 'used', text(claim.used), 'head', text(claim.head))
  end
  if claim.head < claim.next then
    claim.reset = math.max(0, entry(key, claim.next - 1) + claim.span - claim.now)
  end
  local over = claim.used + claim.amount - claim.limit
  if claim.amount == 0 or over <= 0 then return end
  claim.wait = -1
  if claim.amount > claim.limit then return end
  for number = claim.head, claim.next - 1 do
    local at, amount = entry(key, number)
    over = over - amount
    claim.wait = at + claim.span - claim.now
    if over <= 0 or number - claim.head >= walk then return end
  end
end

local function slots(claim)
  redis.call('ZREMRANGEBYSCORE', claim.key, '-inf', text(now))
  claim.now, claim.used = now, redis.call('ZCARD', claim.key)
  if claim.used > 0 then
    claim.reset = tonumber(redis.call('ZRANGE', claim.key, -1, -1, 'WITHSCORES')[2]) - now
  end
  if claim.amount == 0 or claim.used + claim.amount <= claim.limit then return end
  claim.wait = -1
  if claim.amount <= claim.limit then
    claim.wait = tonumber(redis.call('ZRANGE', claim.key, 0, 0, 'WITHSCORES')[2]) - now
  end
end

local function charge(claim)
  if claim.amount == 0 then return end
  claim.used, claim.reset = claim.used + claim.amount, claim.span
  if claim.slots then
    redis.call('ZADD', claim.key, text(now + claim.span), holder)
    keep(claim.key, claim.span)
    return
  end
  local size, amount, joins = claim.next - claim.head, claim.amount, false
  if size > 0 then
    local at, before = entry(claim.key, claim.next - 1)
    joins = at == claim.now or (size >= most and claim.now - claim.first < math.floor(claim.span / most))
    if joins then amount = amount + before end
  end
  if not joins then
    claim.next, claim.first = claim.next + 1, claim.now
  end
  claim.entry = claim.next - 1
  redis.call('HSET', claim.key, text(claim.entry), text(claim.now) .. ':' .. text(amount),
    'used', text(claim.used), 'head', text(claim.head), 'next', text(claim.next),
    'last', text(claim.now), 'first', text(claim.first))
  keep(claim.key, claim.span)
end

local claims, passed = {}, 1
for index, key in ipairs(KEYS) do
  local base = 4 * index
  local claim = {
    key = key, slots = ARGV[base + 1] == '1', limit = tonumber(ARGV[base + 2]),
    span = tonumber(ARGV[base + 3]), amount = tonumber(ARGV[base + 4]),
    entry = 0, wait = 0, reset = 0,
  }
  if claim.slots then slots(claim) else window(claim) end
  if claim.wait ~= 0 then passed = 0 end
  claims[index] = claim
end
local moment = now
for _, claim in ipairs(claims) do moment = math.max(moment, claim.now) end
local answer = {passed, text(moment)}
for _, claim in ipairs(claims) do
  if passed == 1 then charge(claim) end
  for _, value in ipairs({claim.used, claim.entry, claim.wait, claim.reset}) do
    answer[#answer + 1] = text(value)
  end
end
return answer
"""
)
"""Arguments: time (0 for the server's), holder, most exact entries, entries looked at; then for each key
whether it has slots, limit, span and amount."""

CORRECT = """
for index, key in ipairs(KEYS) do
  local number, delta = ARGV[2 * index - 1], tonumber(ARGV[2 * index])
  local found = redis.call('HGET', key, number)
  if found then
    local at, amount = string.match(found, '^(%d+):(%d+)$')
    amount = math.max(0, tonumber(amount) + delta)
    redis.call('HSET', key, number, at .. ':' .. string.format('%.0f', amount))
    redis.call('HINCRBY', key, 'used', string.format('%.0f', delta))
  end
end
"""
"""Arguments: for each key the number of an entry, and what is added to it."""

RENEW = (
    _TIME
    + """
local span = tonumber(ARGV[3])
for _, key in ipairs(KEYS) do
  local ends = redis.call('ZSCORE', key, ARGV[2])
  if ends and tonumber(ends) > now then
    redis.call('ZADD', key, text(now + span), ARGV[2])
    keep(key, span)
  end
end
"""
)
"""Arguments: time (0 for the server's), holder, length of the lease."""

RELEASE = """
for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[1]) end
"""
"""Argument: holder."""
