--[[
usage: one page of what uses a resource's capacity between two instants, the latest first.

The walk goes down from the end and stops where reserve's would: at a live entry that starts
early enough to decide about all before it.

KEYS
  1 reservation    any reservation key of the resource; the others are derived from it
  2 slots          the index
  3 fence          '<fence>:<run>' while the index is warm
  4 overlap        how long an entry that overlaps another can be (ms); absent: none does

ARGV
  1 run            this Redis process
  2 start_ms       entries that end after this
  3 end_ms         entries that start before this
  4 count          entries to look at, about

ANSWERS
  used             next end_ms to go on with (-1: that was all), then start_ms, end_ms and
                   quantity of each entry that is not dead
  cold             next end_ms, then start_ms, end_ms, quantity and id of each entry whose key
                   lives: the booking store knows the rest
]]
local KEY_RESERVATION, KEY_SLOTS, KEY_FENCE, KEY_OVERLAP = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local RUN, START_MS, END_MS, COUNT = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

--@include entries
--@include index

local prefix = string.sub(KEY_RESERVATION, 1, -27)
local state = redis.call('MGET', KEY_FENCE, KEY_OVERLAP)
local warm = is_warm(state[1], RUN)
local answer = warm and {'used', -1} or {'cold', -1}
local decides_ms = START_MS - tonumber(state[2] or 0)

local page = redis.call('ZREVRANGEBYSCORE', KEY_SLOTS, '(' .. END_MS, '-inf',
  'WITHSCORES', 'LIMIT', 0, COUNT)
local last = #page
if last == 2 * COUNT then
  -- The page may end among entries of one start. They go to the next page together, for it
  -- goes on below a start and would miss some or see some twice.
  local tied = page[last]
  while last > 0 and page[last] == tied do
    last = last - 2
  end
  if last == 0 then
    page = redis.call('ZRANGEBYSCORE', KEY_SLOTS, tied, tied, 'WITHSCORES')
    last, answer[2] = #page, tonumber(tied)
  else
    answer[2] = tonumber(tied) + 1
  end
end
local size = 2
for i = 1, last, 2 do
  local kind, end_ms, quantity, id = parse(page[i])
  local start_ms = tonumber(page[i + 1])
  local worth = judge(kind, prefix .. id)
  local counts = warm and worth ~= 'dead' or kind ~= 'b' and worth == 'live'
  if counts and end_ms > START_MS then
    answer[size + 1], answer[size + 2], answer[size + 3] = start_ms, end_ms, quantity
    size = size + 3
    if not warm then
      size = size + 1
      answer[size] = id
    end
  end
  if warm and counts and start_ms <= decides_ms then
    answer[2] = -1
    break
  end
end
return answer
