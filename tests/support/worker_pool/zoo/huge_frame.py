from _wire import hang, next_request, shake_hands, write

from rrpy.goridge.frame import header

shake_hands()
next_request()
write(header(0, 0xFFFFFFFF, (0,)))
hang()
