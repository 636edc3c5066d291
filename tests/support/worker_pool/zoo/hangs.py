from _wire import hang, next_request, shake_hands

shake_hands()
next_request()
hang()
