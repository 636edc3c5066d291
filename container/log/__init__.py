"""The log: channels that plugins write events to, and outputs that the process writes to.

A line is an event: a constant message and keys. What we want: a line in JSON is one flat object, and no foreign text
breaks a line. Secrets are masked by the names of their keys. A level that is off costs one comparison, and a line costs
little on a path that handles a thousand mails a second. What does not work: one loguru call a line, which walks the
stack and builds a record for 20 to 40 us. What we do: a channel renders its own line and gives it to its output.
An output gathers lines for `FLUSH_AFTER` seconds, and its own thread writes them. A warning or an error goes out at
once, and so does every line while no event loop runs.

What can still fail: a host that SIGKILL ends loses the lines of its last moment.
"""

from .channels import LogChannel, close, configure, flush, logger, reopen
from .config import ChannelConfig, LogConfig

__all__ = ["ChannelConfig", "LogChannel", "LogConfig", "close", "configure", "flush", "logger", "reopen"]
