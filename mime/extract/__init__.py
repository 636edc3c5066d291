"""The links and the codes of a mail, for tests that follow them. Pure, in time in proportion to the mail."""
