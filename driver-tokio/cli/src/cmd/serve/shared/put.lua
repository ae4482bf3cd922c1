-- Keeps an announcement, if its number is the highest that was seen, or the same and the record too.
-- KEYS: number, announcement, channel.
-- ARGV: number, how long it is kept and how long the announcement, in ms, message, record, short name, addresses, when
-- it was announced, until when it holds.
-- Numbers are 20 digits, so that their order is that of text: Lua's own are not exact beyond 2^53.
local held = redis.call('GET', KEYS[1])
local same = held == ARGV[1] and redis.call('HGET', KEYS[2], 'record') == ARGV[5]
if held and (ARGV[1] < held or (ARGV[1] == held and not same)) then
  return held
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'seq', ARGV[1], 'record', ARGV[5], 'sha1', ARGV[6], 'addresses', ARGV[7],
  'announced', ARGV[8], 'expires', ARGV[9])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
if same then
  return 'same'
end
redis.call('SPUBLISH', KEYS[3], ARGV[4])
return 'changed'
