"""The version, for the build, `rrpy --version`, `rpc.Version` and `RR_VERSION`."""

VERSION = "0.1.0"
