"""The errors of the NATS driver, beside those of jobs: Full, Away and Rejected."""

from __future__ import annotations

from ...errors import JobsError


class Differs(JobsError):
    """A stream or a consumer exists with other settings. The driver changes nothing."""
