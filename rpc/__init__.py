"""The RPC bus: goridge frames over tcp:// or unix://, the server, the client, and the `rpc` plugin."""
