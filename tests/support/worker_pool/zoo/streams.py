"""Answers with a stream of as many parts as the context says, each as large as the body says; stops on demand."""

from _wire import next_request, relay, send, shake_hands

from rrpy.goridge.frame import STOP, STREAM

shake_hands()
while True:
    frame = next_request()
    if frame.stream:
        continue
    split = frame.options[0]
    count, size = int(frame.payload[:split]), int(frame.payload[split:] or 0)
    for number in range(count):
        if relay.ready():
            assert relay.receive().stream == STOP
            break
        name = b"%d" % number
        send(0, name + b"x" * size, (len(name),), STREAM)
    send(0, b"", (0,))
