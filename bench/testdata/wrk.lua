-- Prints the figures of a run as a line of JSON. With BENCH_ADDRS each thread has an address to itself.
local threads = 0

function setup(thread)
  local addrs = {}
  for addr in (os.getenv("BENCH_ADDRS") or ""):gmatch("%S+") do
    addrs[#addrs + 1] = addr
  end
  if #addrs > 0 then
    thread.addr = wrk.lookup(addrs[threads % #addrs + 1], wrk.port)[1]
    threads = threads + 1
  end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"us":%d,"p99_us":%d,"errors":%d}\n', summary.requests, summary.duration,
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
