-- Without names there is no Lua per request, so wrk stays as fast as it is without a script.
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set('number', threads)
end

-- With a path and a file of names behind the URL: each request is for the path and one of the names, at random.
function init(args)
  local path, file = args[1], args[2]
  if file == nil then return end
  local requests = {}
  for name in io.lines(file) do requests[#requests + 1] = wrk.format('GET', path .. name) end
  math.randomseed(number)
  request = function() return requests[math.random(#requests)] end
end

-- Runs once, after the load.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%.0f,"bytes":%.0f,"micros":%.0f,"p50":%.0f,"p99":%.0f,' ..
      '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
