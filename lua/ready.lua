--[[
ready: write a key that lapses at once, as a claim would write; refused, it says why.

KEYS
  1 ready          a key that nothing else uses

ARGV
  1 run            this Redis process (not used)
  2 ready_ttl_ms   how long the key stays

ANSWERS
  ready
]]
local KEY_READY = KEYS[1]
local _, READY_TTL_MS = ARGV[1], ARGV[2]

redis.call('SET', KEY_READY, '1', 'PX', READY_TTL_MS)
return {'ready'}
