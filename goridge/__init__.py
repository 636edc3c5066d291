"""goridge: the frames that the RPC bus and the workers speak.

`frame` is the codec (pure, no I/O); `relay` is the blocking reader and writer of a worker process.
Standard library only, because the worker SDK stands on it.
"""
