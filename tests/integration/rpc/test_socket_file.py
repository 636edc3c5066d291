"""The file of the bus's unix socket, in a whole host."""

from __future__ import annotations

import stat

import anyio
import pytest
from support.container.users import NOBODY, as_root, public_folder, try_as_nobody

from rrpy import Config, Container, default_plugins

pytestmark = pytest.mark.anyio


@as_root
@pytest.mark.parametrize(
    ("socket", "mode", "connects"), [(None, 0o600, "done"), ({"mode": "0660", "owner": "0"}, 0o660, "PermissionError")]
)
async def test_the_workers_user_can_call_the_host(socket: dict[str, str] | None, mode: int, connects: str) -> None:
    """Workers had the address of a socket that only root could open."""
    with public_folder() as folder:
        path = folder / "rpc.sock"
        section = {"listen": f"unix://{path}", **({} if socket is None else {"socket": socket})}
        config = Config.from_dict({"logs": {"mode": "none"}, "rpc": section, "server": {"user": "nobody"}})
        container = Container([], config, optional=default_plugins())
        async with anyio.create_task_group() as group:
            await group.start(lambda *, task_status: container.serve(task_status=task_status))
            found = path.stat()
            assert (stat.S_IMODE(found.st_mode), found.st_uid) == (mode, NOBODY if socket is None else 0)
            connect = f"socket.socket(socket.AF_UNIX).connect({str(path)!r})"
            assert await anyio.to_thread.run_sync(try_as_nobody, connect) == [connects]
            container.stop()
        assert not path.exists()
