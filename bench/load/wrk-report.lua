-- Runs once, after the load: no Lua per request, so wrk stays as fast as it is without a script.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%.0f,"bytes":%.0f,"micros":%.0f,"p50":%.0f,"p99":%.0f,' ..
      '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
