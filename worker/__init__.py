"""The worker SDK: write a function, run it with `python -m rrpy.worker module:function`. Standard library only.

    from rrpy.worker import Request, SoftError

    def handle(request: Request) -> str:
        event = request.json()
        if event["message"]["size"] > 1_000_000:
            raise SoftError("too big for me")
        return "CONTINUE"

docs/worker.md tells the whole of it.
"""

from .messages import Request, Response, SoftError

__all__ = ["Request", "Response", "SoftError"]
