-- For wrk: POST /write with RECORDS records a request, none of which has the key and ts of another.
local RECORDS = 10
local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("name", "wrk." .. threads)
end

function init()
    ts = 0
end

function request()
    local records = {}
    for i = 1, RECORDS do
        ts = ts + 1
        records[i] = string.format('{"key":"%s","ts":%d,"value":"%d.5"}', name, ts, ts)
    end
    return wrk.format("POST", "/write", {["Content-Type"] = "application/json"},
                      '{"records":[' .. table.concat(records, ",") .. ']}')
end

function done(summary)
    local errors = summary.errors
    io.write(string.format("requests=%d errors=%d\n", summary.requests, errors.connect + errors.read +
                           errors.write + errors.status + errors.timeout))
end
