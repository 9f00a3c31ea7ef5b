--[[
read: look at one reservation.

KEYS
  1 reservation    its key
  2 ended          its tombstone

ARGV
  1 run            this Redis process (not used)

ANSWERS
  live             now_ms, document
  gone             tombstone: '<state> <when> [<booking id>]', or '' where there is none
]]
local KEY_RESERVATION, KEY_ENDED = KEYS[1], KEYS[2]
local _ = ARGV[1]

--@include clock

-- pcall: a key of another type, made by hand, is no reservation.
local document = redis.pcall('GET', KEY_RESERVATION)
if type(document) == 'string' then
  return {'live', read_clock(), document}
end
return {'gone', redis.call('GET', KEY_ENDED) or ''}
