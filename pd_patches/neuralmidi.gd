# An autoload of Godot 4 (Project Settings, Globals), named NeuralMIDI. OSC.md tells what goes and what comes.
extends Node

signal note_on(pitch: int, velocity: int)
signal note_off(pitch: int)
signal notes(pitches_and_channels: Array)  # all that sounds; end the others
signal status(words: Array)

var udp := PacketPeerUDP.new()


func _ready() -> void:
	udp.bind(0, "127.0.0.1")  # any port that is free
	udp.set_dest_address("127.0.0.1", 56120)
	var timer := Timer.new()
	timer.timeout.connect(follow)
	add_child(timer)
	timer.start(2)
	follow()


# Again and again, so that either may be started first, and nobody is dropped.
func follow() -> void:
	send("/subscribe", [udp.get_local_port()])


func _exit_tree() -> void:
	send("/unsubscribe", [udp.get_local_port()])


func _process(_delta: float) -> void:
	while udp.get_available_packet_count() > 0:
		var message := decode(udp.get_packet())
		match message[0]:
			"/note_on": note_on.emit(message[1], message[2])
			"/note_off": note_off.emit(message[1])
			"/notes": notes.emit(message.slice(1))
			"/status": status.emit(message.slice(1))


# Integers, floats and strings: send("/temperature", [1.4]).
func send(address: String, arguments := []) -> void:
	var tags := ","
	var data := StreamPeerBuffer.new()
	data.big_endian = true
	for argument in arguments:
		match typeof(argument):
			TYPE_INT: tags += "i"; data.put_32(argument)
			TYPE_FLOAT: tags += "f"; data.put_float(argument)
			_: tags += "s"; data.put_data(padded(argument))
	udp.put_packet(padded(address) + padded(tags) + data.data_array)


# The address, then the arguments.
func decode(packet: PackedByteArray) -> Array:
	var data := StreamPeerBuffer.new()
	data.big_endian = true
	data.data_array = packet
	var message := [read(data)]
	for tag in read(data).substr(1):
		match tag:
			"i": message.append(data.get_32())
			"f": message.append(data.get_float())
			"s": message.append(read(data))
	return message


func padded(text: String) -> PackedByteArray:
	var bytes := text.to_utf8_buffer()
	bytes.append(0)
	while bytes.size() % 4:
		bytes.append(0)
	return bytes


func read(data: StreamPeerBuffer) -> String:
	var start := data.get_position()
	var bytes := data.data_array.slice(start, data.data_array.find(0, start))
	data.seek(start + padded(bytes.get_string_from_utf8()).size())
	return bytes.get_string_from_utf8()
