"""The `inbox` plugin: a web page, and an API, for mail that was caught."""
