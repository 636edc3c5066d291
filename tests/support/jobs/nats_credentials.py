"""An operator of NATS with one account and one user, as `nsc` would make them: JWTs signed by nkeys."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import nkeys

_NO_LIMITS = {"subs": -1, "data": -1, "payload": -1, "conn": -1, "imports": -1, "exports": -1, "wildcards": True}
_STORAGE = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}


def operator_mode(credentials: Path) -> str:
    """Return the lines of a server's configuration, and write the user's `.creds` file."""
    operator, system, account, user = map(_key, (_OPERATOR, _ACCOUNT, _ACCOUNT, _USER))
    system_jwt = _jwt(operator, system, {"type": "account", "limits": _NO_LIMITS})
    account_jwt = _jwt(operator, account, {"type": "account", "limits": {**_NO_LIMITS, **_STORAGE}})
    user_jwt = _jwt(account, user, {"type": "user", "subs": -1, "data": -1, "payload": -1})
    credentials.write_text(
        f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    names = system.public_key.decode(), account.public_key.decode()
    return (
        f"operator: {_jwt(operator, operator, {'type': 'operator'})}\nsystem_account: {names[0]}\n"
        f"resolver: MEMORY\nresolver_preload: {{ {names[0]}: {system_jwt}, {names[1]}: {account_jwt} }}\n"
    )


_OPERATOR = nkeys.PREFIX_BYTE_OPERATOR
_ACCOUNT = nkeys.PREFIX_BYTE_ACCOUNT
_USER = nkeys.PREFIX_BYTE_USER


def _key(kind: int) -> nkeys.KeyPair:
    return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), kind))


def _jwt(issuer: nkeys.KeyPair, subject: nkeys.KeyPair, claims: dict) -> str:
    payload = {
        "jti": "test",
        "iat": 1700000000,
        "iss": issuer.public_key.decode(),
        "sub": subject.public_key.decode(),
        "name": claims["type"],
        "nats": {**claims, "version": 2},
    }
    kind = {"typ": "JWT", "alg": "ed25519-nkey"}
    text = ".".join(_encoded(json.dumps(part).encode()) for part in (kind, payload))
    return f"{text}.{_encoded(issuer.sign(text.encode()))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
