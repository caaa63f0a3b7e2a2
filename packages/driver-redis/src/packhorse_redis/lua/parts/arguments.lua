-- What a script is given, one after the other.
local given = 0

local function argument()
  given = given + 1
  return ARGV[given]
end

local function number()
  return tonumber(argument())
end

-- A list: how many, then what `read` reads of each.
local function list(read)
  local all = {}
  for i = 1, number() do all[i] = read() end
  return all
end
