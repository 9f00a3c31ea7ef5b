--[[
resync_install: make the booking store's snapshot the index, if our ticket still stands.
Every booking of the snapshot is booked, live reservations stay, everything else goes.

KEYS
  1 reservation    any reservation key of the resource; the others are derived from it
  2 slots          the index
  3 fence          will read '<fence>:<run>'
  4 resync         '<ticket>:<run>' while a resync runs
  5 overlap        how long an entry that overlaps another can be (ms)
  6 ended          any tombstone of the resource; the others are derived from it

ARGV
  1 run            this Redis process
  2 fence          under which the snapshot was read
  3 ticket         as given to resync_begin
  4 index_ttl_ms   how long an idle index stays
  5 ended_ttl_ms   how long a tombstone stays
  6 bookings       the snapshot as JSON: [[start_ms, end_ms, quantity, id, booking id], …],
                   numbers as text

ANSWERS
  installed        how many entries the index has
  stale            a later resync took the ticket: nothing was changed
]]
local KEY_RESERVATION, KEY_SLOTS, KEY_FENCE, KEY_RESYNC, KEY_OVERLAP, KEY_ENDED =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local RUN, FENCE, TICKET, INDEX_TTL_MS, ENDED_TTL_MS, BOOKINGS =
  ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]

--@include clock
--@include entries
--@include index

-- A Redis that fell back to an earlier state may hold an earlier ticket again, whose snapshot
-- others have overtaken: so the run belongs to it.
if redis.call('GET', KEY_RESYNC) ~= TICKET .. ':' .. RUN then
  return {'stale'}
end
local prefix = string.sub(KEY_RESERVATION, 1, -27)
local ended_prefix = string.sub(KEY_ENDED, 1, -27)
local now_ms = read_clock()

local entries, is_booked = {}, {}
for _, booking in ipairs(cjson.decode(BOOKINGS)) do
  local start_ms, end_ms, quantity, id, booking_id = unpack(booking)
  is_booked[id] = true
  entries[#entries + 1] = {tonumber(start_ms), tonumber(end_ms),
    'b:' .. end_ms .. ':' .. quantity .. ':' .. id}
  if redis.call('DEL', prefix .. id) == 1 then
    redis.call('SET', ended_prefix .. id, 'converted ' .. iso(now_ms) .. ' ' .. booking_id,
      'PX', ENDED_TTL_MS)
  end
end
local old = redis.call('ZRANGE', KEY_SLOTS, 0, -1, 'WITHSCORES')
for i = 1, #old, 2 do
  local kind, end_ms, _, id = parse(old[i])
  if kind ~= 'b' and not is_booked[id] and redis.call('EXISTS', prefix .. id) == 1 then
    entries[#entries + 1] = {tonumber(old[i + 1]), end_ms, old[i]}
  end
end

-- Entries that overlap, directly or through others, form a group; `overlap` is the longest
-- entry of any group of two or more.
table.sort(entries, function(a, b) return a[1] < b[1] end)
local overlap_ms, group_end, group_longest = 0, nil, 0
for _, entry in ipairs(entries) do
  local length_ms = entry[2] - entry[1]
  if group_end and entry[1] < group_end then
    group_longest = math.max(group_longest, length_ms)
    overlap_ms = math.max(overlap_ms, group_longest)
    group_end = math.max(group_end, entry[2])
  else
    group_longest, group_end = length_ms, entry[2]
  end
end

redis.call('DEL', KEY_SLOTS, KEY_OVERLAP, KEY_RESYNC)
for _, entry in ipairs(entries) do
  redis.call('ZADD', KEY_SLOTS, entry[1], entry[3])
end
if overlap_ms > 0 then
  redis.call('SET', KEY_OVERLAP, overlap_ms)
end
redis.call('SET', KEY_FENCE, FENCE .. ':' .. RUN)
keep(KEY_SLOTS, KEY_FENCE, KEY_OVERLAP, INDEX_TTL_MS)
return {'installed', #entries}
