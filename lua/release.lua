--[[
release: give a live reservation's slot back.

KEYS
  1 reservation    its key
  2 slots          the index
  3 ended          its tombstone
  4 idempotency    forgotten with it; only with an Idempotency-Key

ARGV
  1 run            this Redis process (not used)
  2 ended_ttl_ms   how long the tombstone stays

ANSWERS
  released         now_ms
  gone             tombstone: '<state> <when> [<booking id>]', or '' where there is none
  unsettled        a hand-off is deciding about it
]]
local KEY_RESERVATION, KEY_SLOTS, KEY_ENDED, KEY_IDEMPOTENCY = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local _, ENDED_TTL_MS = ARGV[1], ARGV[2]

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
if find_unsettled(KEY_SLOTS, start_ms, ulid) then
  return {'unsettled'}
end
local now_ms = read_clock()
redis.call('ZREM', KEY_SLOTS, 'r:' .. end_ms .. ':' .. quantity .. ':' .. ulid)
redis.call('DEL', KEY_RESERVATION)
if KEY_IDEMPOTENCY then
  redis.call('DEL', KEY_IDEMPOTENCY)
end
redis.call('SET', KEY_ENDED, 'released ' .. iso(now_ms), 'PX', ENDED_TTL_MS)
return {'released', now_ms}
