"""A host with a pool, to be killed: prints its workers' pids when one of them hangs in a request, then waits."""

import sys

import anyio
from support.waiting import until
from support.worker_pool.pools import beast, pool

from rrpy.worker_pool.protocols import Payload


async def main() -> None:
    async with pool(beast(sys.argv[1]), num_workers=2) as workers, anyio.create_task_group() as group:
        if sys.argv[1] == "hangs":
            group.start_soon(workers.exec, Payload())
            await until(lambda: any(worker.status_str == "working" for worker in workers.workers()))
        print(*(worker.pid for worker in workers.workers()), flush=True)
        await anyio.sleep_forever()


anyio.run(main, backend="asyncio", backend_options={"use_uvloop": True})
