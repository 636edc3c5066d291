"""The certificate and the key: an error names the one that is wrong, and says why."""

from __future__ import annotations

import json
import os
import ssl
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from support.log import Log

from rrpy.container.config import Config
from rrpy.container.errors import ConfigError
from rrpy.mime.message import parse
from rrpy.smtp_plugin.config import TLSConfig
from rrpy.smtp_plugin.delivery.event import Arrival, build_event
from rrpy.smtp_plugin.plugin import SMTPPlugin
from rrpy.smtp_plugin.server.handshake import subject_of
from rrpy.smtp_plugin.server.tls import server_context
from rrpy.smtp_plugin.session import Envelope, Session, TLSInfo


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate, its key, the key of another, a key with a password, and files that are neither."""
    folder = tmp_path_factory.mktemp("pems")
    mine, other = (trustme.CA().issue_cert("localhost") for _ in range(2))
    mine.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    mine.private_key_pem.write_to_path(folder / "key.pem")
    other.private_key_pem.write_to_path(folder / "other.pem")
    locked = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"sesame"),
    )
    (folder / "locked.pem").write_bytes(locked)
    (folder / "text.pem").write_text("not PEM\n")
    os.mkfifo(folder / "pipe.pem")
    return folder


def test_a_certificate_with_its_key_makes_a_context(pems: Path) -> None:
    context = server_context(TLSConfig(str(pems / "cert.pem"), str(pems / "key.pem")))
    assert isinstance(context, ssl.SSLContext)


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("none.pem", "none.pem", "smtp.tls.cert is none.pem; it cannot be read: no such file or directory"),
        ("cert.pem", "none.pem", "smtp.tls.key is none.pem; it cannot be read: no such file or directory"),
        ("cert.pem", ".", "smtp.tls.key is .; it cannot be read: is a directory"),
        ("/dev/zero", "key.pem", "smtp.tls.cert is /dev/zero; it is not a file"),
        ("cert.pem", "pipe.pem", "smtp.tls.key is pipe.pem; it is not a file"),
        ("ce\0rt.pem", "key.pem", "smtp.tls.cert is ce\0rt.pem; it cannot be read: embedded null byte"),
        ("text.pem", "key.pem", "smtp.tls.cert is text.pem; there is no certificate as PEM in it"),
        ("key.pem", "cert.pem", "smtp.tls.cert is key.pem; there is no certificate as PEM in it"),
        (
            "cert.pem",
            "text.pem",
            "smtp.tls.key is text.pem; there is no private key as PEM, without a password, in it",
        ),
        (
            "cert.pem",
            "locked.pem",
            "smtp.tls.key is locked.pem; there is no private key as PEM, without a password, in it",
        ),
        (
            "cert.pem",
            "other.pem",
            "smtp.tls.key is other.pem; it does not belong to the certificate in cert.pem",
        ),
    ],
)
def test_the_file_that_is_wrong_is_named_with_the_reason(
    pems: Path, monkeypatch: pytest.MonkeyPatch, cert: str, key: str, said: str
) -> None:
    monkeypatch.chdir(pems)
    with pytest.raises(ConfigError) as caught:
        server_context(TLSConfig(cert, key))
    assert str(caught.value) == said


def handshake(server: ssl.SSLContext, newest: ssl.TLSVersion, oldest: ssl.TLSVersion) -> str | None:
    """Shake hands in memory; return the version that a client with these ones gets. Raises SSLError."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version, client.maximum_version = oldest, newest
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
            agreed = side.version()
    return agreed


V = ssl.TLSVersion


@pytest.mark.parametrize(
    ("oldest", "client", "agreed"),
    [
        (1.2, V.TLSv1_1, None),
        (1.2, V.TLSv1_2, "TLSv1.2"),
        (1.2, V.TLSv1_3, "TLSv1.3"),
        (1.3, V.TLSv1_2, None),
        (1.3, V.TLSv1_3, "TLSv1.3"),
        (1.1, V.TLSv1, None),
        (1.1, V.TLSv1_1, "TLSv1.1"),
        (1.0, V.TLSv1, "TLSv1"),
        (1.0, V.TLSv1_3, "TLSv1.3"),
    ],
)
def test_the_oldest_version_is_the_configured_one(
    pems: Path, oldest: float, client: ssl.TLSVersion, agreed: str | None
) -> None:
    """A printer with TLS 1.0 had no way to send."""
    context = server_context(TLSConfig(str(pems / "cert.pem"), str(pems / "key.pem"), min_version=oldest))
    if agreed is None:
        with pytest.raises(ssl.SSLError):
            handshake(context, client, client)
    else:
        assert handshake(context, client, client) == agreed


@pytest.mark.parametrize(("version", "flag"), [(1.0, "HAS_TLSv1"), (1.1, "HAS_TLSv1_1")])
def test_a_version_that_openssl_does_not_have_is_an_error(
    pems: Path, monkeypatch: pytest.MonkeyPatch, version: float, flag: str
) -> None:
    monkeypatch.setattr(ssl, flag, False)
    with pytest.raises(ConfigError, match=f"^smtp.tls.min_version is {version}; OpenSSL"):
        server_context(TLSConfig(str(pems / "cert.pem"), str(pems / "key.pem"), min_version=version))


def test_another_version_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^min_version is 1.4; known are 1.0, 1.1, 1.2, 1.3$"):
        TLSConfig("cert.pem", "key.pem", min_version=1.4)


@pytest.mark.parametrize(("version", "lines"), [(1.0, 1), (1.1, 1), (1.2, 0)])
def test_an_old_version_is_a_warning_in_the_log(pems: Path, version: float, lines: int) -> None:
    tls = {"cert": str(pems / "cert.pem"), "key": str(pems / "key.pem"), "min_version": version}
    log = Log()
    pools = SimpleNamespace(new_pool=lambda *args, **options: None)  # no pool starts before `serve`
    SMTPPlugin().init(Config.from_dict({"smtp": {"tls": tls}}), log, pools)  # type: ignore[arg-type]
    assert len(log.keys("TLS before 1.2 is on, which attackers can break")) == lines


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.pem", "smtp.tls.client_ca is none.pem; it cannot be read: no such file or directory"),
        ("text.pem", "smtp.tls.client_ca is text.pem; there is no certificate as PEM in it"),
    ],
)
def test_wrong_authorities_of_clients_are_named(
    pems: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.chdir(pems)
    with pytest.raises(ConfigError) as caught:
        server_context(TLSConfig("cert.pem", "key.pem", client_ca=name))
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ((), None),
        (((("countryName", "DE"),), (("commonName", "a"),)), "CN=a,C=DE"),
        (((("commonName", " #a, \0+"), ("serialNumber", "1")),), "CN=\\ #a\\, \\00\\++serialNumber=1"),
    ],
)
def test_a_subject_is_a_text(subject: object, expected: str | None) -> None:
    assert subject_of({"subject": subject}) == expected


def test_the_event_has_the_tls_and_what_the_client_said_with_mail_and_rcpt() -> None:
    session, envelope = Session(None, ("127.0.0.1", 1)), Envelope()
    session.tls = TLSInfo("TLSv1.3", "TLS_AES_128_GCM_SHA256")
    envelope.mail_from, envelope.rcpt_tos = "a@b.c", ["x@y.z", "added@y.z"]
    envelope.parameters = {"SMTPUTF8": None, "ENVID": "\udcff"}
    envelope.recipients = [{"ORCPT": "rfc822;o@y.z"}]
    event = json.loads(build_event(Arrival.of(session, envelope, "id", 0.0), parse(b"")))
    assert event["tls"] == {"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256"}
    assert event["envelope"]["parameters"] == {"SMTPUTF8": True, "ENVID": "\\xff"}
    assert event["envelope"]["recipients"] == [
        {"address": "x@y.z", "parameters": {"ORCPT": "rfc822;o@y.z"}},
        {"address": "added@y.z", "parameters": {}},
    ]
