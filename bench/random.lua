-- wrk asks for one of many objects at random, the same ones in every run: -- PATH NUMBER
function init(arguments)
   math.randomseed(4711)
   path, number = arguments[1], tonumber(arguments[2])
   -- As other clients write it, since Host may be in a cache's key.
   rest = " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n\r\n"
end

function request()
   return "GET " .. path .. "/" .. math.random(0, number - 1) .. rest
end
