"""goridge: the frames that the RPC bus and the workers exchange.

`frame` is the codec and `worker` the words of the worker protocol; both are pure, without I/O. `relay` reads and writes
frames in a worker process. Standard library only, because the worker SDK uses it.
"""
