"""The system user that workers run as: `server.user`, by name or by number."""

from __future__ import annotations

import os
import pwd

import msgspec

from ..container.errors import ConfigError
from ..container.net.access import group_id, is_id

_KEY = "server.user"


class Account(msgspec.Struct, frozen=True):
    """A system user that workers run as. `name`: its number as text where the system knows no name."""

    name: str
    uid: int
    gid: int
    home: str = "/"
    known: bool = True

    @property
    def variables(self) -> dict[str, str]:
        """The variables of an environment that name the user."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}

    def become(self) -> None:
        """Turn this process into the user's, for good, with the user's groups. Root only; raises OSError."""
        if self.known:
            os.initgroups(self.name, self.gid)
        else:
            os.setgroups([self.gid])
        os.setgid(self.gid)
        os.setuid(self.uid)


def find_account(user: str | int) -> Account | None:
    """Return the account of `server.user`, None for the host's own. Raises ConfigError when it cannot be used.

    `user`: a name or a number, and where wanted a group after a colon: `www-data`, `33`, `1000:1000`, `www-data:adm`.
    """
    name, colon, group = str(user).partition(":")
    if not name and not colon:
        return None
    found = _entry(name)
    if found is None and not is_id(name):
        raise ConfigError(f"is {user!r}", key=_KEY, hint="there is no such system user")
    if found is None and not group:
        hint = f"no system user has this number, so name a group too: {name}:{name}"
        raise ConfigError(f"is {user!r}", key=_KEY, hint=hint)
    if group:
        try:
            gid = group_id(group)
        except ValueError:
            raise ConfigError(f"is {user!r}", key=_KEY, hint=f"there is no system group {group!r}") from None
    else:
        gid = found.pw_gid if found else 0
    uid = found.pw_uid if found else int(name)
    if uid == os.geteuid() and (not group or gid == os.getegid()):
        return None
    if os.geteuid() != 0:
        hint = "only a host that runs as root can run workers as another user"
        raise ConfigError(f"is {user!r}", key=_KEY, hint=hint)
    if found is None:
        return Account(name, uid, gid, known=False)
    return Account(found.pw_name, uid, gid, found.pw_dir or "/")


def _entry(name: str) -> pwd.struct_passwd | None:
    """Return the entry of a user by name, or else by number, as chown(1) looks it up; None without one."""
    try:
        return pwd.getpwnam(name)
    except (KeyError, ValueError):
        pass
    try:
        return pwd.getpwuid(int(name)) if is_id(name) else None
    except KeyError:
        return None
