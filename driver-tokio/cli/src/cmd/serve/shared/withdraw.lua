-- Forgets what there is, if its number is not higher, but for the number.
-- KEYS: number, announcement, channel. ARGV: number, how long it is kept, in ms, message.
local held = redis.call('GET', KEYS[1])
if held and ARGV[1] < held then
  return held
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if redis.call('DEL', KEYS[2]) == 0 then
  return 'same'
end
redis.call('SPUBLISH', KEYS[3], ARGV[3])
return 'changed'
