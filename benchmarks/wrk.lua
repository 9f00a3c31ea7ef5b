-- The requests of a run, each for another free slot, and its result as one line of JSON.
-- wrk.py calls it: wrk … URL -- MODE FIRST BASE THREADS RESOURCES ITEMS KEY TEMPLATE IDS
--
--   MODE       reserve: one slot a request; stampede: always the same one;
--              batch: ITEMS slots a request; hand_off: books the next reservation
--   FIRST      number of the first slot that nobody has asked for yet
--   BASE       midnight of the day of slot 0, in seconds since 1970
--   THREADS    of this wrk
--   RESOURCES  over how many resources slots are spread: room-0, room-1, …
--   TEMPLATE   the body of one reservation with |RESOURCE|, |START| and |END| in it
--   IDS        a file with the reservations to hand off, a line each

local threads_set_up = 0

function setup(thread)
  thread:set('number', threads_set_up)
  threads_set_up = threads_set_up + 1
end

local DAY_S, DAY_MINUTES = 86400, 1440
local mode, step, next_slot, base_s, resources, items, head
local parts = {} -- of the template, around what changes
local rooms, starts, ends = {}, {}, {}
local ids, handed_off = {}, 0
local PATHS = {batch = '/v2/bookings/reserve/batch', hand_off = '/v2/bookings'}

-- A slot is the minute number floor(slot / resources) since BASE, less its last second, so
-- that its start and its end have the same date. Dates are formatted once a day.
local day, date
local function body_of(slot)
  local minute = math.floor(slot / resources)
  local of_day = minute % DAY_MINUTES
  local its_day = (minute - of_day) / DAY_MINUTES
  if its_day ~= day then
    day, date = its_day, os.date('!%Y-%m-%d', base_s + its_day * DAY_S)
  end
  return parts[1] .. rooms[slot % resources] .. parts[2] .. date .. starts[of_day]
    .. parts[3] .. date .. ends[of_day] .. parts[4]
end

function init(args)
  mode, resources, items = args[1], tonumber(args[5]), tonumber(args[6])
  step, next_slot, base_s = tonumber(args[4]), tonumber(args[2]) + number, tonumber(args[3])
  for i = 0, resources - 1 do
    rooms[i] = 'room-' .. i
  end
  for i = 0, DAY_MINUTES - 1 do
    local time = string.format('T%02d:%02d', math.floor(i / 60), i % 60)
    starts[i], ends[i] = time .. ':00Z', time .. ':59Z'
  end
  for part in (args[8] .. '|'):gmatch('([^|]*)|') do
    if part ~= 'RESOURCE' and part ~= 'START' and part ~= 'END' then
      parts[#parts + 1] = part
    end
  end
  if mode == 'hand_off' then
    for id in io.lines(args[9]) do
      ids[#ids + 1] = id
    end
  end
  local path = PATHS[mode] or '/v2/bookings/reserve'
  head = 'POST ' .. path .. ' HTTP/1.1\r\nHost: ' .. wrk.host .. ':' .. wrk.port
    .. '\r\nContent-Type: application/json\r\nAuthorization: Bearer ' .. args[7]
    .. '\r\nContent-Length: '
end

local function take()
  local slot = next_slot
  next_slot = slot + step
  return body_of(slot)
end

function request()
  local body
  if mode == 'reserve' then
    body = take()
  elseif mode == 'stampede' then
    body = body_of(0)
  elseif mode == 'hand_off' then
    handed_off = handed_off + 1
    -- wrk cannot be told to stop; where ids run out, the harness sees so many requests.
    body = '{"reservation_id":"' .. ids[math.min(handed_off, #ids)] .. '"}'
  else
    local taken = {}
    for i = 1, items do
      taken[i] = take()
    end
    body = '{"mode":"independent","reservations":[' .. table.concat(taken, ',') .. ']}'
  end
  return head .. #body .. '\r\n\r\n' .. body
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"connect":%d,"read":%d,'
      .. '"write":%d,"timeout":%d,"status":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
