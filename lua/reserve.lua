--[[
reserve: hold a slot for a while, if nothing blocks it.

The walk goes down from the slot's end. Entries that do not overlap each other are in the
same order by start and by end, so the nearest live one at or before the slot's start
decides about everything before it. Where entries do overlap (capacity above 1, lowered
since, double bookings), `overlap` says how long such entries get, and the walk looks that
much further back.

KEYS
  1 reservation    the key to write: reservation:{<resource>}:<ulid>
  2 slots          the index
  3 fence          '<fence>:<run>' while the index is warm
  4 overlap        how long an entry that overlaps another can be (ms); absent: none does
  5 idempotency    only with an Idempotency-Key: '<fingerprint> <ulid>'

ARGV
  1 run            this Redis process
  2 start_ms       the slot
  3 end_ms         the slot
  4 quantity       units asked for
  5 capacity       units there are
  6 duration_ms    how long to hold, at least 1
  7 document       the reservation's JSON from "start" on
  8 past_ms        how long ago the slot may have ended
  9 ahead_ms       how far ahead the slot may end
  10 index_ttl_ms  how long an idle index stays
  11 sweep         most dead entries to drop in one call
  12 fingerprint   of the request's body; only with an Idempotency-Key
  13 idempotency_ttl_ms how long that key is remembered; only with an Idempotency-Key
  14 instead       id of a booking's entry that blocks nothing; only to reschedule it

ANSWERS
  reserved         now_ms
  replayed         now_ms, ulid, document: what this key or this ulid reserved before
  replayed_ended   ulid: what this key reserved before is no more
  key_reused       the key came with another body before
  past             earliest_ms: ends before this are not indexed
  far              latest_ms: the latest end that a slot may have
  cold             resync, then call again
  swept            dead entries were dropped, there may be more: call again
  taken            by (reserved, booked), retry_after_ms (-1: no use in waiting)
]]
local KEY_RESERVATION, KEY_SLOTS, KEY_FENCE, KEY_OVERLAP, KEY_IDEMPOTENCY =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local RUN, START, END, QUANTITY, CAPACITY, DURATION_MS =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local DOCUMENT, PAST_MS, AHEAD_MS, INDEX_TTL_MS, SWEEP =
  ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])
local FINGERPRINT, IDEMPOTENCY_TTL_MS, INSTEAD = ARGV[12], ARGV[13], ARGV[14]

--@include clock
--@include entries
--@include index

local PREFIX = string.sub(KEY_RESERVATION, 1, -27) -- a ULID is 26 characters
local ULID = string.sub(KEY_RESERVATION, -26)
local start_ms, end_ms = tonumber(START), tonumber(END)
local quantity, capacity = tonumber(QUANTITY), tonumber(CAPACITY)
local now_ms = read_clock()

local function replay(ulid)
  local document = redis.call('GET', PREFIX .. ulid)
  if document then
    return {'replayed', now_ms, ulid, document}
  end
  return {'replayed_ended', ulid}
end

if KEY_IDEMPOTENCY then
  local pinned = redis.call('GET', KEY_IDEMPOTENCY)
  if pinned then
    local fingerprint, ulid = string.match(pinned, '^(%S+) (%S+)$')
    if fingerprint ~= FINGERPRINT then
      return {'key_reused'}
    end
    return replay(ulid)
  end
end

if end_ms <= now_ms - PAST_MS then
  return {'past', now_ms - PAST_MS}
end
if end_ms > now_ms + AHEAD_MS then
  return {'far', now_ms + AHEAD_MS}
end

local state = redis.call('MGET', KEY_FENCE, KEY_OVERLAP)
if not is_warm(state[1], RUN) then
  return {'cold'}
end
local overlap_ms = tonumber(state[2] or 0)

-- The entries that overlap the slot, nearest the slot's end first. With capacity to spare
-- they are taken as live until it matters: most claims then need not ask for their keys.
local way, dead, own_ms = {}, {}, 0
local seen, page_size, walking, in_use = 0, 2, true, 0
while walking do
  local page = redis.call('ZREVRANGEBYSCORE', KEY_SLOTS, '(' .. END, '-inf',
    'WITHSCORES', 'LIMIT', seen, page_size)
  for i = 1, #page, 2 do
    seen = seen + 1
    local entry_start = tonumber(page[i + 1])
    local kind, entry_end, entry_quantity, id = parse(page[i])
    local decides = entry_start <= start_ms - overlap_ms
    local in_way = entry_end > start_ms
    if in_way and id == INSTEAD then
      in_way, own_ms = false, entry_end - entry_start
    end
    local worth, left_ms = 'unjudged', nil
    if decides or (in_way and capacity == 1) then
      worth, left_ms = judge(kind, PREFIX .. id)
    end
    if worth == 'dead' then
      dead[#dead + 1] = page[i]
      if #dead == SWEEP then
        drop(KEY_SLOTS, dead)
        return {'swept'}
      end
    elseif in_way then
      if id == ULID then
        return replay(ULID) -- this very claim was carried out before, its answer was lost
      end
      way[#way + 1] = {member = page[i], kind = kind, id = id, quantity = entry_quantity,
        from = entry_start, to = entry_end, worth = worth, left_ms = left_ms}
      in_use = in_use + entry_quantity
    end
    -- Behind a booking there is no use in looking further, nor behind many reservations.
    local enough = in_way and capacity == 1 and (kind == 'b' or #way == 8)
    if worth ~= 'dead' and (decides or enough) then
      walking = false
      break
    end
  end
  walking = walking and #page == 2 * page_size
  page_size = 256
end

-- is_full: whether entries of `list` leave too few units at any one instant of the slot.
local function is_full(list)
  local first, last = 0, 0
  for _, entry in ipairs(list) do
    first = entry.from <= start_ms and first + entry.quantity or first
    last = entry.to >= end_ms and last + entry.quantity or last
  end
  -- The slot's first and last instant are but sums, and mostly decide.
  if math.max(first, last) + quantity > capacity then
    return true
  end
  local throughout, changes, instants = 0, {}, {}
  local function change(instant, units)
    if not changes[instant] then
      changes[instant] = 0
      instants[#instants + 1] = instant
    end
    changes[instant] = changes[instant] + units
  end
  for _, entry in ipairs(list) do
    if entry.from <= start_ms and entry.to >= end_ms then
      throughout = throughout + entry.quantity
    else
      change(math.max(entry.from, start_ms), entry.quantity)
      change(math.min(entry.to, end_ms), -entry.quantity)
    end
  end
  table.sort(instants)
  local units, most = 0, 0
  for _, instant in ipairs(instants) do
    units = units + changes[instant] -- ends and starts of one instant: intervals are half-open
    most = math.max(most, units)
  end
  return throughout + most + quantity > capacity
end

-- all_live: whether every key of the reservations among list[from..to] is there.
local function all_live(list, from, to)
  local keys = {}
  for i = from, to do
    if list[i].kind ~= 'b' and list[i].worth == 'unjudged' then
      keys[#keys + 1] = PREFIX .. list[i].id
    end
  end
  return #keys == 0 or redis.call('EXISTS', unpack(keys)) == #keys
end

if in_use + quantity > capacity and is_full(way) then
  local live, booked, earliest_ms = {}, {}, nil
  local looked_until, sure = 0, false
  for i, entry in ipairs(way) do
    if i > looked_until then
      looked_until = math.min(i + SWEEP - 1, #way)
      sure = all_live(way, i, looked_until)
    end
    -- Of many live ones a few are asked how long they have left; that is hint enough.
    if entry.worth == 'unjudged' and (i <= 8 or not sure) then
      entry.worth, entry.left_ms = judge(entry.kind, PREFIX .. entry.id)
    end
    if entry.worth == 'lost' then
      drop(KEY_SLOTS, dead)
      return {'cold'}
    elseif entry.worth == 'dead' then
      dead[#dead + 1] = entry.member
      if #dead == SWEEP then
        drop(KEY_SLOTS, dead)
        return {'swept'}
      end
    else
      live[#live + 1] = entry
      if entry.kind == 'b' then
        booked[#booked + 1] = entry
      elseif entry.left_ms then
        earliest_ms = math.min(earliest_ms or entry.left_ms, entry.left_ms)
      end
    end
  end
  if #live == #way or is_full(live) then
    drop(KEY_SLOTS, dead)
    if #booked > 0 and is_full(booked) then
      return {'taken', 'booked', -1}
    end
    -- Redis keeps a key through its last millisecond; the slot is free in the next.
    return {'taken', 'reserved', (earliest_ms or 0) + 1}
  end
  way = live
end

-- Every check is behind us: from here on nothing may fail, Redis takes nothing back.
drop(KEY_SLOTS, dead)
local document = '{"expires_at":"' .. iso(now_ms + DURATION_MS) .. '","created_at":"'
  .. iso(now_ms) .. '",' .. DOCUMENT
redis.call('ZADD', KEY_SLOTS, START, 'r:' .. END .. ':' .. QUANTITY .. ':' .. ULID)
redis.call('SET', KEY_RESERVATION, document, 'PX', DURATION_MS)
if #way > 0 or own_ms > 0 then
  local longest_ms = math.max(overlap_ms, end_ms - start_ms, own_ms)
  for _, entry in ipairs(way) do
    longest_ms = math.max(longest_ms, entry.to - entry.from)
  end
  if longest_ms > overlap_ms then
    redis.call('SET', KEY_OVERLAP, longest_ms, 'PX', 2 * INDEX_TTL_MS)
  end
end
if KEY_IDEMPOTENCY then
  redis.call('SET', KEY_IDEMPOTENCY, FINGERPRINT .. ' ' .. ULID, 'PX', IDEMPOTENCY_TTL_MS)
end
-- An index that had run empty has lost its TTL with its last entry; any other needs a new
-- one only now and then.
if seen == #dead or redis.call('PTTL', KEY_FENCE) < INDEX_TTL_MS / 2 then
  keep(KEY_SLOTS, KEY_FENCE, KEY_OVERLAP, INDEX_TTL_MS)
end
return {'reserved', now_ms}
