"""The section `jobs` of rr.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from ..container.config.fields import Duration, PositiveDuration
from ..container.errors import ConfigError
from ..worker_pool import PoolConfig

DEFAULT_BACKOFF = (Duration(5), Duration(30), Duration(300), Duration(1800))


class RetryConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to a job that its worker could not do."""

    attempts: Annotated[int, Meta(ge=1, description="how often workers get a job. After that the job is dead.")] = 10
    backoff: Annotated[
        list[Duration],
        Meta(description="the pauses before the next attempts. The last one repeats."),
    ] = field(default_factory=lambda: list(DEFAULT_BACKOFF))
    dead: Annotated[bool, Meta(description="keep dead jobs, for `jobs.Dead` and `jobs.Retry`; false deletes them")] = (
        True
    )

    def pause_after(self, attempt: int) -> float:
        """Return the seconds before the next attempt. `attempt`: the one that failed, from 1."""
        return float(self.backoff[min(attempt, len(self.backoff)) - 1]) if self.backoff else 0.0


class PipelineConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A queue of jobs."""

    driver: Annotated[
        str,
        Meta(
            description="where the jobs are: `memory`, `sqlite`, `nats` or the driver of another plugin. `nats` "
            "needs the section `nats`."
        ),
    ] = "memory"
    config: Annotated[
        dict[str, Any],
        Meta(
            description="settings of the pipeline, and of its driver. `priority` is for jobs that have none, 10 by "
            "default; a lower number goes first. `prefetch` is the number of jobs that this host holds at once, by "
            "default twice its workers and at least 32."
        ),
    ] = field(default_factory=dict)
    retry: Annotated[RetryConfig, Meta(description="what happens to a job that fails")] = RetryConfig()
    pool: Annotated[str, Meta(description="the name of its workers in `jobs.pools`; empty means `jobs.pool`")] = ""


class JobsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Queues of jobs, and the workers that do them. To consume, it needs the section `server`."""

    consume: Annotated[
        list[str], Meta(description="the pipelines whose jobs this host gives to workers; empty starts no workers")
    ] = field(default_factory=list)
    timeout: Annotated[PositiveDuration, Meta(description="the time that a push may take")] = PositiveDuration(60)
    pool: Annotated[PoolConfig | None, Meta(description="the workers")] = None
    pools: Annotated[
        dict[str, PoolConfig], Meta(description="in place of `pool`: workers by name, for `pipelines.NAME.pool`")
    ] = field(default_factory=dict)
    pipelines: Annotated[dict[str, PipelineConfig], Meta(description="the queues by name")] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        if self.pool is not None and self.pools:
            raise ConfigError("does not go with pool", key="pools", hint="name every pool in pools")
        for name in self.consume:
            if name not in self.pipelines:
                known = ", ".join(self.pipelines) or "none"
                raise ConfigError(f"names {name!r}, which is not a pipeline", key="consume", hint=f"known are {known}")
        for name, pipeline in self.pipelines.items():
            if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
                hint = "a pipeline has letters, digits, - and _ in its name"
                raise ConfigError(f"{name!r} is not a name", key="pipelines", hint=hint)
            known_pools = ", ".join(self.pools) or "none"
            if bool(pipeline.pool) != bool(self.pools) or (pipeline.pool and pipeline.pool not in self.pools):
                raise ConfigError(
                    f"is {pipeline.pool!r}", key=f"pipelines.{name}.pool", hint=f"known pools are {known_pools}"
                )

    def pool_of(self, pipeline: str) -> tuple[str, PoolConfig]:
        """Return the name and the settings of a pipeline's workers."""
        name = self.pipelines[pipeline].pool
        return name, self.pools[name] if name else self.pool or PoolConfig()


def split_config(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keys of a pipeline's `config` that are its own, and those of its driver."""
    own = {key: value for key, value in config.items() if key in ("priority", "prefetch")}
    return own, {key: value for key, value in config.items() if key not in own}


class PipelineOptions(Struct, frozen=True):
    """The keys of `config` that every driver has."""

    priority: int = 10
    prefetch: Annotated[int, Meta(ge=0)] = 0
