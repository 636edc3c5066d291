"""A host to be stopped and continued: prints the monotonic time of its request's `exec_ttl`, then how it ended.

Arguments: the file at which the worker answers, and `exec_ttl` in seconds.
"""

import asyncio
import sys
import time

import anyio
from support.worker_pool.pools import beast, pool

from rrpy.worker_pool.config import SupervisorConfig
from rrpy.worker_pool.errors import PoolError
from rrpy.worker_pool.protocols import Payload


async def main(gate: str, exec_ttl: float) -> None:
    limits = SupervisorConfig(exec_ttl=exec_ttl)
    async with pool(beast("answers_at_a_sign"), num_workers=1, supervisor=limits) as workers:
        request = asyncio.create_task(workers.exec(Payload(b"", gate.encode())))
        await asyncio.sleep(0)  # the request is sent
        print(time.monotonic() + exec_ttl, flush=True)
        try:
            await request
        except PoolError as error:
            print(error, flush=True)
        else:
            print("answered", flush=True)


anyio.run(main, sys.argv[1], float(sys.argv[2]), backend="asyncio", backend_options={"use_uvloop": True})
