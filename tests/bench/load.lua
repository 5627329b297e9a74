-- Asks for the paths of a file in turn, and says in one line what came of it.
-- wrk -s load.lua URL -- FILE
local paths, at = {}, 0

function init(args)
	for line in io.lines(args[1]) do
		paths[#paths + 1] = line
	end
end

function request()
	at = at % #paths + 1
	return wrk.format("GET", paths[at])
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format(
		'{"requests": %d, "seconds": %f, "bytes": %d, "failed": %d, "p50": %f, "p99": %f}\n',
		summary.requests, summary.duration / 1e6, summary.bytes,
		e.connect + e.read + e.write + e.status + e.timeout,
		latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
