-- Prints the figures of a run as a line of JSON. With BENCH_ADDRS each thread has an address to itself.
-- With BENCH_METHOD it is the method; POST has a body.
local threads = 0

wrk.method = os.getenv("BENCH_METHOD") or "GET"
if wrk.method == "POST" then wrk.body = "hello" end

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
  io.write(string.format('{"requests":%d,"us":%d,"p99_us":%d,"errors":%d,', summary.requests, summary.duration,
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
  io.write(string.format('"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}\n', e.connect, e.read, e.write,
    e.timeout, e.status))
end
