-- Reads entries of the store.
-- KEYS: theirs. Answers a text for each ('=' and bytes, or an integer), the members of a set, or nil.
local values = redis.call('MGET', unpack(KEYS))
for i, value in ipairs(values) do
  if not value then
    local members = redis.call('SMEMBERS', KEYS[i])
    if #members > 0 then values[i] = members end
  end
end
return values
