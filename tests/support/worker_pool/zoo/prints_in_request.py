from _wire import hang, next_request, shake_hands, write

shake_hands()
next_request()
write(b"debug: got a request\n")
hang()
