"""The mailboxes of a store, against a model: what each of them has after any order of operations.

An operation on one mailbox touches no other: the model keeps each apart.
"""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.inbox.stored import ids_of, received

from rrpy.inbox.records import record_of
from rrpy.inbox.store.query import EVERYTHING, Query, parse
from rrpy.inbox.store.store import Store
from rrpy.mime.mailboxes import DEFAULT

NAMES = ("a", "b", DEFAULT)
MAX_MESSAGES = 4
MAILBOXES = st.sampled_from(NAMES)
SCOPES = st.sampled_from((*NAMES, None))
CHOSEN = st.one_of(
    st.just(EVERYTHING), st.just(parse("odd")), st.lists(st.integers(1, 30).map(str), max_size=4), st.just(["latest"])
)


class Mailboxes(RuleBasedStateMachine):
    """A store, and of each mailbox its ids with whether they are read, the oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(max_messages=MAX_MESSAGES)
        self.model: dict[str, dict[str, bool]] = {DEFAULT: {}}
        self.count = 0

    def of(self, scope: str | None) -> dict[str, str]:
        """Return the mailbox of each message in a scope, in the order of arrival."""
        boxes = self.model.items() if scope is None else [(scope, self.model.get(scope, {}))]
        return dict(sorted(((each, name) for name, ids in boxes for each in ids), key=lambda pair: int(pair[0])))

    def chosen(self, chosen: Query | Collection[str], scope: str | None) -> dict[str, str]:
        found = self.of(scope)
        if isinstance(chosen, Query):
            return {each: name for each, name in found.items() if chosen == EVERYTHING or int(each) % 2}
        wanted = {list(found)[-1] if each == "latest" and found else each for each in chosen}
        return {each: name for each, name in found.items() if each in wanted}

    @rule(names=st.lists(MAILBOXES, min_size=1, max_size=3))
    def add(self, names: list[str]) -> None:
        records = []
        for name in names:
            self.count += 1
            text = "odd" if self.count % 2 else "even"
            records.append(record_of(received(str(self.count), text), name))
            self.model.setdefault(name, {})[str(self.count)] = False
        gone = self.store.add(*records).gone
        for name in names:
            left = list(self.model[name])[:-MAX_MESSAGES]
            assert set(left) <= set(gone.get(name, ()))
            for each in left:
                del self.model[name][each]

    @rule(chosen=CHOSEN, scope=SCOPES)
    def delete(self, chosen: Query | Collection[str], scope: str | None) -> None:
        gone = self.chosen(chosen, scope)
        assert set(self.store.delete_many(chosen, None, scope).ids) == set(gone)
        for each, name in gone.items():
            del self.model[name][each]

    @rule(chosen=CHOSEN, scope=SCOPES, read=st.booleans())
    def mark(self, chosen: Query | Collection[str], scope: str | None, read: bool) -> None:
        changed = {each: name for each, name in self.chosen(chosen, scope).items() if self.model[name][each] != read}
        assert set(self.store.mark(read, chosen, None, scope).ids) == set(changed)
        for each, name in changed.items():
            self.model[name][each] = read

    @rule(name=MAILBOXES)
    def remove(self, name: str) -> None:
        self.delete(EVERYTHING, name)
        assert self.store.remove_mailbox(name) == (name in self.model)
        if name != DEFAULT:
            self.model.pop(name, None)

    @invariant()
    def each_mailbox_has_its_own(self) -> None:
        found = {each.name: each for each in self.store.mailboxes()}
        assert set(found) == set(self.model)
        for name in (*NAMES, None):
            part = self.store.list_messages(limit=100, mailbox=name)
            ids = list(self.of(name))[::-1]
            unread = [each for each in ids if not self.model[self.of(None)[each]][each]]
            assert (ids_of(part), part.total, part.unread) == (ids, len(ids), len(unread))
            latest = self.store.read("latest", name)
            assert (latest and latest.listed().id) == (ids[0] if ids else None)
            assert ids_of(self.store.list_messages(limit=100, search=parse("is:unread"), mailbox=name)) == unread
            if name in found:
                assert (found[name].messages, found[name].unread) == (len(ids), len(unread))
        assert sum(each.bytes for each in found.values()) == self.store.bytes

    def teardown(self) -> None:
        self.store.close()


TestMailboxes = Mailboxes.TestCase
TestMailboxes.settings = settings(max_examples=40, stateful_step_count=20)
