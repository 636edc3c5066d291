"""A Postfix of its own: it takes mail from its `sendmail` alone, and relays all of it to one server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from support.smtp_plugin.clients_list import Order

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = relay.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
relayhost = {relayhost}
"""
LOGIN = """\
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:{folder}/etc/passwords
smtp_sasl_security_options = noanonymous
"""
TLS = """\
smtp_tls_security_level = secure
smtp_tls_secure_cert_match = localhost
smtp_tls_CAfile = {order.ca}
"""
# No service listens on TCP. Columns: type, private, unprivileged, chroot, wake-up, process limit, program.
MASTER = """\
pickup  unix       n - n 60    1 pickup
cleanup unix       n - n -     0 cleanup
qmgr    unix       n - n 300   1 qmgr
tlsmgr  unix       - - n 1000? 1 tlsmgr
rewrite unix       - - n -     - trivial-rewrite
bounce  unix       - - n -     0 bounce
defer   unix       - - n -     0 bounce
trace   unix       - - n -     0 bounce
smtp    unix       - - n -     - smtp
error   unix       - - n -     - error
retry   unix       - - n -     - error
postlog unix-dgram n - n -     1 postlogd
"""


@dataclass(frozen=True)
class Relay:
    """A Postfix that runs; `folder` holds its `etc`, `queue`, `data` and `log`."""

    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def send(self, order: Order) -> None:
        """Put the order's mail into the queue."""
        command = ["sendmail", "-C", f"{self.folder}/etc", "-i", "-f", order.sender, *order.recipients]
        await anyio.run_process(command, input=order.message.read_bytes())


def configure(folder: Path, order: Order) -> None:
    """Write a configuration that relays to where the order goes, as the order says."""
    folder.chmod(0o755)
    relayhost = f"[{order.host}]:{order.port}"
    text = MAIN + LOGIN * order.login + TLS * order.tls
    etc, queue, data = (folder / name for name in ("etc", "queue", "data"))
    for each in (etc, queue, data):
        each.mkdir()
    (etc / "main.cf").write_text(text.format(folder=folder, relayhost=relayhost, order=order))
    (etc / "master.cf").write_text(MASTER)
    (etc / "passwords").write_text(f"{relayhost} {order.username}:{order.password}\n")
    shutil.chown(data, "postfix")


@asynccontextmanager
async def relaying(order: Order) -> AsyncIterator[Relay]:
    """Run a Postfix until the end of the block. Needs root: its master starts each service as another user."""
    # Not under pytest's folder, which other users cannot enter: Postfix's own user must reach its data.
    with tempfile.TemporaryDirectory(prefix="rrpy-postfix-") as name:
        folder = Path(name)
        configure(folder, order)
        postfix = ["postfix", "-c", f"{name}/etc"]
        await anyio.run_process([*postfix, "start"], stdout=None, stderr=None)  # makes the queue, waits for the master
        try:
            yield Relay(folder)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.run_process([*postfix, "stop"], stdout=None, stderr=None)  # waits for the master's end
