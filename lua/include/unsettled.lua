-- find_unsettled: the member of kind u that stands for `id`, whatever its nonce.
local function find_unsettled(slots, start_ms, id)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', slots, start_ms, start_ms)) do
    local kind, _, _, found = parse(member)
    if kind == 'u' and found == id then
      return member
    end
  end
  return nil
end
