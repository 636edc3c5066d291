"""The one place that knows the version: the build, `rrpy --version`, `rpc.Version` and `RR_VERSION` read it here."""

VERSION = "0.1.0"
