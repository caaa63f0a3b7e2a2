-- Applies groups of changes to the store, each whole or not at all.
-- with: arguments
-- KEYS: of all entries that are named. ARGV: of each group its conditions and its actions, both after
-- their number. They name entries by their place among the keys. Bytes have '=' before them.
-- Answers for each nil (a condition did not hold), a text (an entry is of another kind: its number and
-- what was to be done), or its answers.

-- Compared byte by byte: Lua's own order is that of the server's language.
local function earlier(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- 'set', 'bytes', 'integer' or nil.
local function kind_of(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'none' then return nil end
  if kind == 'set' then return kind end
  return redis.call('GETRANGE', key, 0, 0) == '=' and 'bytes' or 'integer'
end

local function holds(kind, key, value, prefix)
  local found = kind_of(key)
  if kind == 'absent' then return not found end
  if kind == 'has' then return found == 'set' and redis.call('SISMEMBER', key, value) == 1 end
  if found ~= 'bytes' then return false end
  found = redis.call('GET', key)
  if kind == 'equals' then return found == value end
  return string.sub(found, 1, 1 + prefix) == string.sub(value, 1, 1 + prefix) and earlier(found, value)
end

local function keep_for(key, ttl)
  if ttl then redis.call('PEXPIRE', key, ttl) end
end

-- What each action needs and leaves, and what it does; all get key, value and milliseconds.
local needs = {increment = 'integer', add = 'set', remove = 'set'}
local leaves = {put = 'bytes', increment = 'integer', add = 'set'}
local act = {
  put = function(key, value, ttl)
    redis.call('SET', key, value)
    keep_for(key, ttl)
  end,
  delete = function(key) redis.call('DEL', key) end,
  expire = function(key, _, ttl)
    if ttl then keep_for(key, ttl) else redis.call('PERSIST', key) end
  end,
  increment = function(key, by, ttl)
    local new = redis.call('EXISTS', key) == 0
    redis.call('INCRBY', key, by)
    if new then keep_for(key, ttl) end
    return redis.call('GET', key)
  end,
  add = function(key, members, ttl)
    local added = 0
    for _, member in ipairs(members) do added = added + redis.call('SADD', key, member) end
    keep_for(key, ttl)
    return added
  end,
  remove = function(key, members)
    for _, member in ipairs(members) do redis.call('SREM', key, member) end
    return redis.call('SCARD', key)
  end,
}

-- The first action of a group that finds an entry of another kind.
local function misfit(actions)
  local kinds = {}
  for _, action in ipairs(actions) do
    local kind, key = action[1], action[2]
    if kinds[key] == nil then kinds[key] = kind_of(KEYS[key]) or false end
    if needs[kind] and kinds[key] and kinds[key] ~= needs[kind] then return action end
    if leaves[kind] then kinds[key] = leaves[kind] end
    if kind == 'delete' then kinds[key] = false end
  end
  return nil
end

local function apply(conditions, actions)
  for _, c in ipairs(conditions) do
    if not holds(c[1], KEYS[c[2]], c[3], c[4]) then return false end
  end
  local wrong = misfit(actions)
  if wrong then return wrong[2] .. ' ' .. wrong[1] end
  local answers = {}
  for i, action in ipairs(actions) do
    answers[i] = act[action[1]](KEYS[action[2]], action[3], action[4]) or false
  end
  return answers
end

-- What there is to read of each kind, beside the entry's number.
local function milliseconds()
  local ttl = argument()
  if ttl == '' then return nil end
  return tonumber(ttl)
end

local function members()
  return list(argument)
end

local values = {
  has = argument, equals = argument, older = argument, put = argument, increment = argument,
  add = members, remove = members,
}
local lasts = {older = number, put = milliseconds, increment = milliseconds, add = milliseconds,
  expire = milliseconds}

local function step()
  local kind = argument()
  local value, last = values[kind], lasts[kind]
  return {kind, number(), value and value(), last and last()}
end

local answers = {}
while given < #ARGV do answers[#answers + 1] = apply(list(step), list(step)) end
return answers
