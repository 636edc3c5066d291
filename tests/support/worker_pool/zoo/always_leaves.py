from _wire import next_request, send, shake_hands

shake_hands()
next_request()
send(0, b'{"stop":true}', (13,))
next_request()
