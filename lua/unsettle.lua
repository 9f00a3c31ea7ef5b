--[[
unsettle: before the booking store decides about an entry, make it unsettled under a fresh
nonce. Whoever meets it from now on, without a live key, has to ask the store.

KEYS
  1 reservation    the entry's reservation key
  2 slots          the index
  3 fence          '<fence>:<run>' while the index is warm
  4 ended          the reservation's tombstone

ARGV
  1 run            this Redis process
  2 from           r: the entry of a live reservation; b: the entry of a booking
  3 start_ms       the slot
  4 end_ms         the slot
  5 quantity       of the entry
  6 nonce          fresh
  7 grace_ms       a reservation's key is to live at least this long from now on

ANSWERS
  unsettled        now_ms, fence
  gone             tombstone: '<state> <when> [<booking id>]', or '' where there is none
  cold             resync, then call again
]]
local KEY_RESERVATION, KEY_SLOTS, KEY_FENCE, KEY_ENDED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local RUN, FROM, START, END, QUANTITY, NONCE, GRACE_MS =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])

--@include clock
--@include entries
--@include unsettled
--@include index

local ulid = string.sub(KEY_RESERVATION, -26)
local is_reservation = FROM == 'r'
if is_reservation and redis.call('EXISTS', KEY_RESERVATION) == 0 then
  return {'gone', redis.call('GET', KEY_ENDED) or ''}
end
local fence = redis.call('GET', KEY_FENCE)
if not is_warm(fence, RUN) then
  return {'cold'}
end
local place = ':' .. END .. ':' .. QUANTITY .. ':' .. ulid
local settled = FROM .. place
local before = redis.call('ZSCORE', KEY_SLOTS, settled) and settled
  or find_unsettled(KEY_SLOTS, START, ulid)
if not before then
  -- A reservation without a place in a warm index holds nothing (somebody deleted the index
  -- by hand); of a booking the store knows better.
  return is_reservation and {'gone', ''} or {'cold'}
end

-- Add before removing: a sorted set that runs empty loses its TTL.
redis.call('ZADD', KEY_SLOTS, START, 'u' .. place .. ':' .. NONCE)
redis.call('ZREM', KEY_SLOTS, before)
if not is_reservation then
  redis.call('DEL', KEY_RESERVATION) -- its reservation became a booking, whatever comes next
elseif before == settled and redis.call('PTTL', KEY_RESERVATION) < GRACE_MS then
  -- The grace is given once: repeating a hand-off must not hold a slot for ever.
  redis.call('PEXPIRE', KEY_RESERVATION, GRACE_MS)
end
return {'unsettled', read_clock(), string.match(fence, '^%d+')}
