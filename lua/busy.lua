--[[
busy: one page of a resource's entries by start, and what they are worth.

KEYS
  1 reservation    any reservation key of the resource; the others are derived from it
  2 slots          the index
  3 fence          '<fence>:<run>' while the index is warm

ARGV
  1 run            this Redis process
  2 from_ms        entries that start at this or later
  3 to_ms          entries that start before this
  4 offset         entries to skip
  5 count          entries to look at

ANSWERS
  busy             now_ms, then for each entry that is not dead: kind, start_ms, end_ms,
                   quantity, id, left_ms (-1: no key); last: how many were looked at
  cold             resync, then call again
]]
local KEY_RESERVATION, KEY_SLOTS, KEY_FENCE = KEYS[1], KEYS[2], KEYS[3]
local RUN, FROM_MS, TO_MS, OFFSET, COUNT = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

--@include clock
--@include entries
--@include index

if not is_warm(redis.call('GET', KEY_FENCE), RUN) then
  return {'cold'}
end
local prefix = string.sub(KEY_RESERVATION, 1, -27)
local answer = {'busy', read_clock()}
local page = redis.call('ZRANGEBYSCORE', KEY_SLOTS, FROM_MS, '(' .. TO_MS,
  'WITHSCORES', 'LIMIT', OFFSET, COUNT)
for i = 1, #page, 2 do
  local kind, end_ms, quantity, id = parse(page[i])
  local worth, left_ms = 'dead', nil -- what is no entry was put there by hand
  if kind == 'r' or kind == 'u' or kind == 'b' then
    worth, left_ms = judge(kind, prefix .. id)
  end
  if worth ~= 'dead' then
    for _, part in ipairs({kind, tonumber(page[i + 1]), end_ms, quantity, id, left_ms or -1}) do
      answer[#answer + 1] = part
    end
  end
end
answer[#answer + 1] = #page / 2
return answer
