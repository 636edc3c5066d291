from _wire import CONTROL, hang, relay, send

relay.receive()
send(CONTROL, b'{"name":"joe"}')
hang()
