-- An entry of `slots:{…}`: score = start (ms), member = <kind>:<end ms>:<quantity>:<id>,
-- kind r reserved, u unsettled (the member then ends in :<nonce>), b booked.

-- parse: a member's kind, end (ms), quantity and id.
local function parse(member)
  local kind, end_ms, quantity, id = string.match(member, '^(%a):(%d+):(%d+):([^:]+)')
  return kind, tonumber(end_ms), tonumber(quantity), id
end

-- judge: what an entry is worth, by the one truth about it, its reservation's key.
--   'live'  it holds its slot; second result: what is left of it (ms), nil when booked
--   'dead'  a reservation whose key is gone: drop it
--   'lost'  unsettled with no key: only the booking store knows
-- A live key can show 0 ms left in its last millisecond; only -2 means that it is gone.
local function judge(kind, reservation_key)
  if kind == 'b' then
    return 'live', nil
  end
  local left_ms = redis.call('PTTL', reservation_key)
  if left_ms ~= -2 then
    return 'live', left_ms
  end
  return kind == 'r' and 'dead' or 'lost', nil
end

-- drop: remove dead members from the index.
local function drop(slots, members)
  if #members > 0 then
    redis.call('ZREM', slots, unpack(members))
  end
end

-- find_unsettled: the member of kind u that stands for `id`, whatever its nonce.
local function find_unsettled(slots, start_ms, id)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', slots, start_ms, start_ms)) do
    local kind, _, _, found = parse(member)
    if kind == 'u' and found == id then
      return member
    end
  end
  return nil
end
