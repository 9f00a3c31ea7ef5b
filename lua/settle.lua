--[[
settle: after the booking store decided, make the entry booked or remove it. Only while the
entry is still unsettled under our nonce, in an index still built under our fence: otherwise
a resync has put things right already, or somebody else is deciding now.

KEYS
  1 reservation    the entry's reservation key
  2 slots          the index
  3 fence          '<fence>:<run>' while the index is warm
  4 ended          the reservation's tombstone

ARGV
  1 run            this Redis process
  2 fence          as unsettle answered
  3 start_ms       the slot
  4 end_ms         the slot
  5 quantity       of the entry
  6 nonce          as given to unsettle
  7 outcome        booked or freed
  8 booking_id     what the reservation became; '' with freed
  9 ended_ttl_ms   how long the tombstone stays

ANSWERS
  settled          now_ms
  superseded       nothing was changed
]]
local KEY_RESERVATION, KEY_SLOTS, KEY_FENCE, KEY_ENDED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local RUN, FENCE, START, END, QUANTITY, NONCE, OUTCOME, BOOKING_ID, ENDED_TTL_MS =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]

--@include clock

if redis.call('GET', KEY_FENCE) ~= FENCE .. ':' .. RUN then
  return {'superseded'}
end
local place = ':' .. END .. ':' .. QUANTITY .. ':' .. string.sub(KEY_RESERVATION, -26)
local mine = 'u' .. place .. ':' .. NONCE
if not redis.call('ZSCORE', KEY_SLOTS, mine) then
  return {'superseded'}
end
local now_ms = read_clock()
if OUTCOME == 'booked' then
  -- Add before removing: a sorted set that runs empty loses its TTL.
  redis.call('ZADD', KEY_SLOTS, START, 'b' .. place)
  redis.call('SET', KEY_ENDED, 'converted ' .. iso(now_ms) .. ' ' .. BOOKING_ID,
    'PX', ENDED_TTL_MS)
end
redis.call('ZREM', KEY_SLOTS, mine)
redis.call('DEL', KEY_RESERVATION)
return {'settled', now_ms}
