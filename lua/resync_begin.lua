--[[
resync_begin: take the ticket of a resync. A later ticket makes this one worthless, so that
an old snapshot can never overwrite a newer one.

KEYS
  1 resync         holds the ticket

ARGV
  1 run            this Redis process (not used)
  2 ticket         fresh
  3 ticket_ttl_ms  how long the resync may take

ANSWERS
  begun            now_ms
]]
local KEY_RESYNC = KEYS[1]
local _, TICKET, TICKET_TTL_MS = ARGV[1], ARGV[2], ARGV[3]

--@include clock

redis.call('SET', KEY_RESYNC, TICKET, 'PX', TICKET_TTL_MS)
return {'begun', read_clock()}
