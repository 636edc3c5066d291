"""The certificate and the key: an error names the one that is wrong, and says why."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from rrpy.container.errors import ConfigError
from rrpy.smtp_plugin.config import TLSConfig
from rrpy.smtp_plugin.server.tls import server_context


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
