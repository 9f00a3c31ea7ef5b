-- read_clock: Redis' own time in whole milliseconds. Called once a script: within one
-- script Redis <= 7.0 lets the time move on while the existence of keys stands still.
local function read_clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- iso: an instant in epoch milliseconds as 'YYYY-MM-DDTHH:MM:SS.mmmZ', 24 characters.
-- The calendar is Howard Hinnant's civil_from_days: years begin in March, so that the
-- leap day is a year's last.
local function iso(ms)
  local floor = math.floor
  local seconds = floor(ms / 1000)
  local days = floor(seconds / 86400) + 719468
  local era = floor(days / 146097)
  local day_of_era = days - era * 146097
  local year_of_era = floor((day_of_era - floor(day_of_era / 1460)
    + floor(day_of_era / 36524) - floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era
    - (365 * year_of_era + floor(year_of_era / 4) - floor(year_of_era / 100))
  local march_month = floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - floor((153 * march_month + 2) / 5) + 1
  local month = march_month < 10 and march_month + 3 or march_month - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day,
    floor(seconds / 3600) % 24, floor(seconds / 60) % 60, seconds % 60, ms % 1000)
end
