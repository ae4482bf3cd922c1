-- Keeps what there is, if it has this number.
-- KEYS: number, announcement.
-- ARGV: number, how long it is kept and how long the announcement, in ms, when it was announced, until when it holds.
local held = redis.call('GET', KEYS[1])
if held ~= ARGV[1] or redis.call('EXISTS', KEYS[2]) == 0 then
  return held or '0'
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], 'announced', ARGV[4], 'expires', ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 'same'
