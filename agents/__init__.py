"""Tools for agents: the mail of an inbox by the Model Context Protocol, with marks on all that came from outside."""
