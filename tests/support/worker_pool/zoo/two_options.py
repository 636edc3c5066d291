from _wire import hang, next_request, send, shake_hands

shake_hands()
next_request()
send(0, b"answer", (1, 2))
hang()
