--[[
resync_begin: take the ticket of a resync. A later ticket makes this one worthless, so that
an old snapshot can never overwrite a newer one. A fresh ticket is left to whoever took it:
servers that kept taking it from each other would never be done.

KEYS
  1 resync         will read '<ticket>:<run>'

ARGV
  1 run            this Redis process: a ticket is worth nothing in another
  2 ticket         fresh
  3 ticket_ttl_ms  how long the resync may take
  4 patience_ms    how long another's ticket is left alone

ANSWERS
  begun            now_ms
  busy             another resync began a moment ago: look again in a moment
]]
local KEY_RESYNC = KEYS[1]
local RUN, TICKET, TICKET_TTL_MS, PATIENCE_MS = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

--@include clock

if redis.call('PTTL', KEY_RESYNC) > TICKET_TTL_MS - PATIENCE_MS then
  return {'busy'}
end
redis.call('SET', KEY_RESYNC, TICKET .. ':' .. RUN, 'PX', TICKET_TTL_MS)
return {'begun', read_clock()}
