# A Rack application, as any; puma serves it on the socket that it inherits.

require 'json'

VERSION = '1'

run(lambda do |env|
  sleep(Regexp.last_match(1).to_f / 1000) if env['QUERY_STRING'] =~ /\bms=(\d+)/
  answer = { version: VERSION, versionAfter: VERSION, pid: Process.pid }
  [200, { 'content-type' => 'application/json' }, ["#{answer.to_json}\n"]]
end)
