"""Where our class answers otherwise than aiosmtpd 1.4.6, with one line of reason each.

`REPLIES`: names of the suite's status codes, and the reply of ours that stands in their place. The tests that use them
run whole. `DEVIATIONS`: tests that are expected to fail; a name without its parameters stands for all of them.
"""

from __future__ import annotations

from typing import Final

from rrpy.smtp_plugin import replies
from rrpy.smtp_plugin.replies import Reply

REPLIES: Final[dict[str, Reply]] = {
    # The texts of our contract.
    "S252_CANNOT_VRFY": replies.CANNOT_VERIFY,
    "S354_DATA_ENDWITH": replies.START_MAIL,
    "S500_BAD_SYNTAX": replies.BAD_SYNTAX,
    "S500_CMD_TOO_LONG": replies.LINE_TOO_LONG,
    "S501_SYNTAX_DATA": replies.NO_PARAMETERS,
    "S501_SYNTAX_EHLO": replies.EHLO_SYNTAX,
    "S501_SYNTAX_HELO": replies.HELO_SYNTAX,
    "S501_SYNTAX_MAIL": replies.MAIL_SYNTAX,
    "S501_SYNTAX_MAIL_E": replies.MAIL_SYNTAX,
    "S501_SYNTAX_QUIT": replies.NO_PARAMETERS,
    "S501_SYNTAX_RCPT": replies.RCPT_SYNTAX,
    "S501_SYNTAX_RCPT_E": replies.RCPT_SYNTAX,
    "S501_SYNTAX_RSET": replies.NO_PARAMETERS,
    "S501_SYNTAX_STARTTLS": replies.NO_PARAMETERS,
    "S501_SYNTAX_VRFY": replies.VRFY_SYNTAX,
    "S501_MAIL_BODY": replies.BAD_PARAMETER,
    "S501_SMTPUTF8_NOARG": replies.BAD_PARAMETER,
    "S502_EXPN_NOTIMPL": replies.NOT_IMPLEMENTED,
    "S503_HELO_FIRST": replies.HELO_FIRST,
    "S503_MAIL_NESTED": replies.NESTED_MAIL,
    "S503_MAIL_NEEDED": replies.NEED_MAIL,
    "S503_RCPT_NEEDED": replies.NEED_RCPT,
    "S530_STARTTLS_FIRST": replies.TLS_REQUIRED,
    "S552_DATA_TOO_MUCH": replies.TOO_BIG,
    "S552_EXCEED_SIZE": replies.TOO_BIG,
    "S555_MAIL_PARAMS_UNRECOG": replies.UNKNOWN_PARAMETER,
    "S555_RCPT_PARAMS_UNRECOG": replies.UNKNOWN_PARAMETER,
    # Codes of the RFCs where aiosmtpd has others.
    "S454_TLS_NA": replies.NOT_IMPLEMENTED,  # a verb that is not offered, RFC 5321 4.2.4
    "S501_SMTPUTF8_DISABLED": replies.UNKNOWN_PARAMETER,  # RFC 5321 4.1.1.11
    "S553_MALFORMED": replies.BAD_SENDER,  # RFC 5321 4.1.2
}

DEVIATIONS: Final[dict[str, str]] = {}
