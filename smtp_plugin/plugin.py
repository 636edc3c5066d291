"""The SMTP plugin: `init` reads the section, `serve` opens the pool and the socket, `stop` ends the sessions politely.

The order at the stop is the specification's: the socket closes, idle sessions get 421, a session in DATA ends its
message, then the workers stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskStatus

from ..container.errors import ConfigError
from ..container.health import FINE, Status, unavailable
from ..container.net.address import Address
from ..container.net.listening import Addresses, BoundSockets, listen_addresses
from ..container.net.tls import WEAK
from ..container.protocols import Collect, Configurer, Logger
from ..mime.mailboxes import MailboxBy
from ..worker_pool import Pool, PoolFactory
from .backend import Backend
from .config import SMTPConfig
from .delivery.files import Storage
from .delivery.history import History
from .delivery.jobs import JobDelivery, JobQueues
from .delivery.observers import TRANSCRIPT_LINES, MailObserver, RefusalObserver
from .delivery.workers import Delivery
from .failures.book import NamesMailboxes, RuleBook
from .protocol import replies
from .protocol.body import Budget
from .protocol.replies import Reply
from .protocol.rules import Rules
from .rpc import SMTPRPC
from .server.deadlines import OPENING_TIMEOUT, Timeouts
from .server.listener import Listener
from .server.tls import server_context
from .session import ConnectionInfo, new_ordered_uuid
from .workers_manager import WorkersManager

if TYPE_CHECKING:
    from .server.metrics import Statistics


class SMTPPlugin:
    """The plugin object: `smtp` in rr.yaml, in the log and on the RPC bus."""

    name = "smtp"
    config_model = SMTPConfig

    def __init__(self) -> None:
        self._listening: Address | None = None  # a Protocol's check may read `smtp_address` before `init`

    def init(self, config: Configurer, log: Logger, server: PoolFactory | None, jobs: JobQueues | None = None) -> None:
        """Read the `smtp` section. Raises PluginDisabled without one, ConfigError for a bad one.

        `server`: None where the host has no section `server`; then no worker can decide about mail. `jobs`: None where
        it has no section `jobs`.
        """
        self._config = config.section("smtp", SMTPConfig)
        self._addresses = listen_addresses(self._config.addr, "smtp.addr")
        if self._config.reuse_port:
            self._addresses = self._addresses.shared("smtp.reuse_port")
        self._tls = server_context(self._config.tls) if self._config.tls else None
        if self._config.tls is not None and self._config.tls.min_version < WEAK:
            log.warning("TLS before 1.2 is on, which attackers can break", min_version=self._config.tls.min_version)
        self._log = log
        if server is None and self._config.deliver == "workers":
            raise ConfigError("is workers, which needs the section server", key="smtp.deliver")
        if self._config.deliver == "jobs":
            self._check_jobs(jobs)
            server = None
        self._jobs = jobs
        self._workers = WorkersManager(server, self._config.pool, self.name) if server is not None else None
        self._budget = Budget(self._config.max_inflight_bytes)
        self._naming: NamesMailboxes | None = None
        self._rules = RuleBook(self._mailbox_by)
        self._backend = Backend(log, History(self._config.history))
        self._listener: Listener | None = None
        self._statistics: Statistics | None = None
        self._stopped = anyio.Event()

    def _check_jobs(self, jobs: JobQueues | None) -> None:
        if jobs is None:
            raise ConfigError("is jobs, which needs the section jobs", key="smtp.deliver")
        try:
            jobs.check_pipeline(self._config.jobs.pipeline)
        except ConfigError as error:
            error.key = "smtp.jobs.pipeline"
            raise

    def collects(self) -> Sequence[Collect[Any]]:
        """Ask for every plugin that observes mail or refusals."""
        return (
            Collect(MailObserver, self._observe, outlive=True),
            Collect(RefusalObserver, self._observe_refusals, outlive=True),
            Collect(NamesMailboxes, self._name_mailboxes, outlive=True),
        )

    def listens(self) -> Sequence[Addresses]:
        """Return the addresses of the server."""
        return [self._addresses]

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Open the pool, then the socket; serve until `stop`."""
        config = self._config
        self._rules.add_configured(config.rules)
        async with AsyncExitStack() as stack:
            if self._workers is not None:
                pool = await stack.enter_async_context(self._workers.running())
                if config.deliver == "workers":
                    stack.enter_context(self._delivering(pool))
            if config.deliver == "jobs":
                stack.enter_context(self._queueing())
            sockets = BoundSockets(self._addresses)
            self._listener = listener = self._new_listener()
            try:
                await listener.listen(sockets)
                self._listening = sockets.address
                self._log.info("SMTP server listens", addr=str(sockets), hostname=config.hostname)
                task_status.started()
                await self._stopped.wait()
            finally:
                self._listening = None
                sockets.close()
                with anyio.CancelScope(shield=True):
                    await listener.aclose()

    @contextmanager
    def _delivering(self, pool: Pool) -> Iterator[None]:
        """Let the pool's workers decide about every message."""
        config = self._config
        storage = self._open_storage(pool)
        delivery = Delivery(
            pool,
            self._log,
            self._budget,
            include_raw=config.include_raw,
            all_headers=config.headers == "all",
            lmtp=config.lmtp,
            storage=storage,
            allocate_timeout=config.pool.allocate_timeout,
        )
        self._backend.delivery = delivery
        try:
            yield
        finally:
            delivery.close()
            if storage is not None:
                storage.close()

    @contextmanager
    def _queueing(self) -> Iterator[None]:
        """Put every message into a queue of jobs."""
        assert self._jobs is not None
        config = self._config
        self._backend.new_id = new_ordered_uuid
        self._backend.delivery = delivery = JobDelivery(
            self._jobs, config.jobs, self._log, self._budget, all_headers=config.headers == "all"
        )
        try:
            yield
        finally:
            delivery.close()

    def _open_storage(self, pool: Pool) -> Storage | None:
        """Return the folder for attachments, None where they are in the event. Raises StorageError."""
        settings = self._config.attachment_storage
        if settings.mode != "tempfile":
            return None
        storage = Storage(settings.temp_dir or None, settings.cleanup_after, self._log, pool.uid)
        storage.open()
        return storage

    async def stop(self) -> None:
        """Close the socket and end every session politely, then let `serve` take the pool down."""
        self._listening = None
        if self._listener is not None:
            await self._listener.drain()
        self._stopped.set()

    def host_reloading(self) -> None:
        """Load the certificate and the key anew, for later handshakes. Raises ConfigError; the old ones stay then."""
        tls = self._config.tls
        if tls is not None and self._listener is not None:
            self._tls = server_context(tls)
            self._listener.use_certificate(self._tls)
            self._log.info("certificate is loaded anew", cert=tls.cert)

    def rpc(self) -> SMTPRPC:
        """Return the methods served as `smtp.…`."""
        return SMTPRPC(self._backend, self._rules)

    @property
    def smtp_address(self) -> str:
        """The first address as a URL, with the real port in place of port 0. Empty while the plugin does not serve."""
        return str(self._listening) if self._listening is not None else ""

    def connections(self) -> Sequence[ConnectionInfo]:
        """Return the open connections, the oldest first."""
        return self._backend.connections()

    def close_connection(self, uuid: str) -> bool:
        """Close a connection at once, with a 421; return whether there was one with this uuid."""
        return self._backend.close_connection(uuid)

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Subscribe to changes of `connections()`, between `init` and `serve`; return the function that unsubscribes.

        `callback` is called whenever the list may change, often several times in one turn of the event loop. Read the
        list in a later turn. `callback` must not raise.
        """
        return self._backend.on_change(callback)

    @property
    def rules(self) -> RuleBook:
        """The rules by which the server fails on purpose."""
        return self._rules

    def metrics_collectors(self) -> Sequence[Any]:
        """Count from now on; return the collectors, for the plugin `metrics`."""
        from .server.metrics import Statistics  # here, because only a host with metrics needs prometheus_client

        self._statistics = Statistics(self._backend)
        return self._statistics.collectors()

    def health_check(self) -> Status:
        """Return whether the socket listens."""
        return FINE if self._listening is not None else unavailable("the SMTP server does not listen")

    def readiness_check(self) -> Status:
        """Return whether the server takes mail: it listens, and a worker is up, or the queue of jobs takes mail."""
        delivery = self._backend.delivery
        if self._listening is not None and isinstance(delivery, JobDelivery) and (trouble := delivery.trouble()):
            return unavailable(trouble)
        if self._listening is None or self._config.deliver != "workers":
            return self.health_check()
        return FINE if self._workers is not None and self._workers.ready else unavailable("no worker is up")

    def _observe(self, observer: MailObserver) -> None:
        self._backend.observers.add(observer)

    def _name_mailboxes(self, naming: NamesMailboxes) -> None:
        self._naming = naming

    def _mailbox_by(self) -> MailboxBy:
        return self._naming.mailbox_by if self._naming is not None else MailboxBy()

    def _observe_refusals(self, observer: RefusalObserver) -> None:
        self._backend.observers.add_for_refusals(observer)

    def _refusal(self) -> Reply | None:
        """Return the reply to MAIL while the workers' queue, or that of jobs, takes no message; None where it does."""
        delivery = self._backend.delivery
        if isinstance(delivery, JobDelivery):
            return delivery.refusal()
        full = delivery is not None and delivery.full
        return replies.queue_full(self._config.pool.max_queue_size) if full else None

    def _new_listener(self) -> Listener:
        config = self._config
        starttls = config.tls is not None and config.tls.mode == "starttls"
        may_refuse = config.deliver == "jobs" or (config.deliver == "workers" and config.pool.max_queue_size > 0)
        rules = Rules(
            hostname=config.hostname,
            max_message_size=config.max_message_size,
            max_recipients=config.max_recipients,
            max_errors=config.max_errors,
            strict=config.line_endings == "strict",
            normalize=config.line_endings == "normalize",
            enhanced=config.enhanced_status_codes,
            mechanisms=config.mechanisms,
            tls_available=starttls,
            tls_required=starttls and config.tls is not None and config.tls.required,
            lmtp=config.lmtp,
            budget=self._budget,
            refusal=self._refusal if may_refuse else None,
            tally=self._statistics,
            failures=self._rules.failures,
        )
        return Listener(
            rules,
            self._statistics or self._backend,
            self._log,
            timeouts=Timeouts(
                read=config.read_timeout,
                write=config.write_timeout,
                data=config.data_timeout,
                rate=config.min_data_rate,
                opening=min(config.read_timeout, OPENING_TIMEOUT),
            ),
            max_connections=config.max_connections,
            max_per_ip=config.max_connections_per_ip,
            tls_context=self._tls if starttls else None,
            implicit_tls=None if starttls else self._tls,
            proxy_protocol=config.proxy_protocol,
            trace=self._backend.command if self._backend.traced else None,
            trace_replies=self._backend.replied if self._backend.replies_traced else None,
            transcript_lines=TRANSCRIPT_LINES if self._backend.observers else 0,
        )
