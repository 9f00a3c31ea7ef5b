--[[
extend: move the deadline of a live reservation. Never revives, never shortens, never lets
it live longer than a reservation may.

KEYS
  1 reservation    its key
  2 slots          the index
  3 ended          its tombstone

ARGV
  1 run            this Redis process (not used)
  2 duration_ms    the deadline is to be at least this far from now
  3 life_ms        longest life from created_at on

ANSWERS
  extended         now_ms, document
  gone             tombstone: '<state> <when> [<booking id>]', or '' where there is none
  unsettled        a hand-off is deciding about it
  limit            latest_ms: the latest deadline it can have
]]
local KEY_RESERVATION, KEY_SLOTS, KEY_ENDED = KEYS[1], KEYS[2], KEYS[3]
local _, DURATION_MS, LIFE_MS = ARGV[1], ARGV[2], ARGV[3]

--@include clock
--@include document
--@include entries
--@include unsettled

local document = redis.call('GET', KEY_RESERVATION)
if not document then
  return {'gone', redis.call('GET', KEY_ENDED) or ''}
end
local start_ms, end_ms, quantity = place_of(document)
local ulid = string.sub(KEY_RESERVATION, -26)
if not redis.call('ZSCORE', KEY_SLOTS, 'r:' .. end_ms .. ':' .. quantity .. ':' .. ulid) then
  -- Without a place in the index it holds nothing: somebody deleted the index by hand.
  return find_unsettled(KEY_SLOTS, start_ms, ulid) and {'unsettled'} or {'gone', ''}
end
local now_ms = read_clock()
local expires_ms = now_ms + DURATION_MS
local latest_ms = epoch_ms(document, CREATED_AT) + LIFE_MS
if expires_ms > latest_ms then
  return {'limit', latest_ms}
end
if expires_ms > epoch_ms(document, EXPIRES_AT) then
  document = with_deadline(document, expires_ms)
  redis.call('SET', KEY_RESERVATION, document, 'PX', DURATION_MS)
end
return {'extended', now_ms, document}
