"""The drivers: each keeps the jobs of pipelines in one kind of place. The contract is `jobs/protocols.py`."""
