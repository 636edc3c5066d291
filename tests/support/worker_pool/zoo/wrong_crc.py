from _wire import Frame, encode, hang, next_request, shake_hands, write

shake_hands()
next_request()
data = bytearray(encode(Frame(0, b"answer", (6,))))
data[6] ^= 0xFF
write(bytes(data))
hang()
