from _wire import CONTROL, hang, next_request, send, shake_hands

shake_hands()
next_request()
send(CONTROL, b"{}", (0,))
hang()
