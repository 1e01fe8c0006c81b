-- The account's ancestors from the root down, and itself last.

local early = enter({})
if early then return early end
flush()
local docs = {}
for i, node in ipairs(chain) do docs[i] = account_doc(string.sub(node.key, #ACCOUNT + 1)) end
return '{"accounts":[' .. table.concat(docs, ',') .. '],"now":' .. text(NOW) .. '}'
