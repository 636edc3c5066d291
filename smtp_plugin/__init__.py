"""The SMTP plugin: its server, its sessions, its methods on the RPC bus."""
