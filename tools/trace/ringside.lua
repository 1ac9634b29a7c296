-- Wireshark's part of `ringside trace --pcapng': what happens to a virtio device, of link type USER0 (docs/record.md).
--
--	tshark -X lua_script:ringside.lua -r FILE
--	wireshark -X lua_script:ringside.lua FILE

local types = {
	[1] = "device", [2] = "thread", [3] = "lost", [4] = "read", [5] = "write", [6] = "status", [7] = "features",
	[8] = "config-read", [9] = "config-write", [10] = "config-interrupt", [11] = "rule", [12] = "queue-start",
	[13] = "queue-stop", [14] = "kick", [15] = "popped", [16] = "unpopped", [17] = "pushed", [18] = "interrupt",
	[19] = "suppressed", [20] = "fault", [21] = "payload", [22] = "digest", [23] = "end",
	[24] = "options", [25] = "offer",
}

local virtio = Proto("ringside", "virtio, as ringside recorded it")
local f = virtio.fields
f.type = ProtoField.uint8("ringside.type", "Event", base.DEC, types)
f.queue = ProtoField.uint16("ringside.queue", "Queue")
f.head = ProtoField.uint16("ringside.head", "Head")
f.value = ProtoField.uint64("ringside.value", "Value", base.HEX)
f.buffer = ProtoField.bytes("ringside.buffer", "Buffer")
f.address = ProtoField.uint64("ringside.address", "Address", base.HEX)
f.len = ProtoField.uint32("ringside.len", "Length")
f.writable = ProtoField.bool("ringside.writable", "Device writes")
f.bytes = ProtoField.bytes("ringside.bytes", "Bytes")

function virtio.dissector(tvb, pinfo, tree)
	local type, n, queue, head = tvb(0, 1):uint(), tvb(1, 1):uint(), tvb(2, 2):le_uint(), tvb(4, 2):le_uint()
	local bufs, at = tvb(6, 2):le_uint(), 8
	local top = tree:add(virtio, tvb())
	local words = types[type] or "unknown"

	pinfo.cols.protocol = "virtio"
	top:add(f.type, tvb(0, 1))
	if queue ~= 0xffff then
		top:add_le(f.queue, tvb(2, 2))
		words = "queue " .. queue .. " " .. words
	end
	if type >= 15 and type <= 17 or type >= 20 and type <= 22 then
		top:add_le(f.head, tvb(4, 2))
		words = words .. " head " .. head
	end
	for _ = 1, n do
		top:add_le(f.value, tvb(at, 8))
		at = at + 8
	end
	for _ = 1, bufs do
		local sub = top:add(f.buffer, tvb(at, 16))
		sub:add_le(f.address, tvb(at, 8))
		sub:add_le(f.len, tvb(at + 8, 4))
		sub:add_le(f.writable, tvb(at + 12, 4))
		at = at + 16
	end
	if at < tvb:len() then
		top:add(f.bytes, tvb(at))
		if type == 1 or type == 11 or type == 20 or type == 24 then
			words = words .. " " .. tvb(at):string()
		end
	end
	pinfo.cols.info = words
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, virtio)
