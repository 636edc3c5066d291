"""Where our class answers otherwise than aiosmtpd 1.4.6, with one line of reason each.

`REPLIES`: names of the suite's status codes, and the reply of ours that stands in their place. The tests that use them
run whole. `DEVIATIONS`: tests that are expected to fail; a name without its parameters stands for all of them.
"""

from __future__ import annotations

from typing import Final

from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.replies import Reply

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
    "S501_MAIL_BODY": replies.BAD_PARAMETER.naming("BODY"),
    "S501_SMTPUTF8_NOARG": replies.BAD_PARAMETER.naming("SMTPUTF8"),
    "S502_EXPN_NOTIMPL": replies.NOT_IMPLEMENTED,
    "S503_HELO_FIRST": replies.HELO_FIRST,
    "S503_MAIL_NESTED": replies.NESTED_MAIL,
    "S503_MAIL_NEEDED": replies.NEED_MAIL,
    "S503_RCPT_NEEDED": replies.NEED_RCPT,
    "S530_STARTTLS_FIRST": replies.TLS_REQUIRED,
    "S552_DATA_TOO_MUCH": replies.too_big(100),
    "S552_EXCEED_SIZE": replies.too_big(9999),
    "S555_MAIL_PARAMS_UNRECOG": replies.UNKNOWN_PARAMETER.naming("FOO"),
    "S555_RCPT_PARAMS_UNRECOG": replies.UNKNOWN_PARAMETER.naming("FOOBAR"),
    # Codes of the RFCs where aiosmtpd has others.
    "S454_TLS_NA": replies.NOT_IMPLEMENTED,  # a verb that is not offered, RFC 5321 4.2.4
    "S501_SMTPUTF8_DISABLED": replies.UNKNOWN_PARAMETER.naming("SMTPUTF8"),  # RFC 5321 4.1.1.11
    "S553_MALFORMED": replies.BAD_SENDER,  # RFC 5321 4.1.2
}

_REASONS: Final[dict[str, list[str]]] = {
    # What we offer.
    "PIPELINING, CHUNKING, BINARYMIME and DSN are offered as well": [
        "test_lmtp.py::test_lhlo",
        "test_smtp.py::TestSMTP::test_ehlo",
        "test_smtp.py::TestAuthMechanisms::test_ehlo",
    ],
    "SIZE 0 is how RFC 1870 says that there is no limit": [
        "test_smtp.py::TestSMTPWithController::test_esmtp_no_size_limit",
    ],
    # Replies that name something else.
    "a parameter's bad value is not the command's bad syntax": [
        "test_smtp.py::TestSMTP::test_mail_smtp_errsyntax[malformed]",
        "test_smtp.py::TestSMTP::test_mail_esmtp_errsyntax[malformed]",
        "test_smtp.py::TestSMTP::test_mail_esmtp_errsyntax[missing]",
        "test_smtp.py::TestSMTP::test_mail_esmtp_errsyntax[badsyntax]",
        "test_smtp.py::TestSMTP::test_mail_esmtp_errsyntax[space]",
        "test_smtp.py::TestSMTP::test_rcpt_smtp_errsyntax[malformed]",
        "test_smtp.py::TestSMTP::test_rcpt_esmtp_errsyntax[badparams]",
        "test_smtp.py::TestSMTP::test_rcpt_esmtp_errsyntax[malformed]",
    ],
    "parameters are taken after HELO too: what they mean is plain": [
        "test_smtp.py::TestSMTP::test_mail_smtp_errsyntax[params_noesmtp]",
        "test_smtp.py::TestSMTP::test_rcpt_smtp_errsyntax[params]",
    ],
    "the text is of the recipient, 501 5.1.3": [
        "test_smtp.py::TestSMTP::test_rcpt_invalid_address",
    ],
    "without MAIL, DATA lacks the MAIL first": [
        "test_smtp.py::TestSMTP::test_data_no_rcpt",
        "test_smtp.py::TestRequiredAuthentication::test_data_norcpt_authenticated",
    ],
    "an unknown verb is not echoed to the client": [
        "test_smtp.py::TestSMTP::test_unknown_command",
        "test_smtp.py::TestLimits::test_limit_bogus",
    ],
    "without handle_VRFY the address is not looked at: no user is verified": [
        "test_smtp.py::TestSMTP::test_vrfy_not_address",
    ],
    "the line is logged once, at INFO": [
        "test_smtp.py::TestAuthMechanisms::test_plain1_goodcreds_sanitized_log",
    ],
    "the test holds the text of the over-size reply itself": [
        "test_smtp.py::TestSMTPWithController::test_too_long_body_delay_error",
    ],
    "an address that is not UTF-8 is refused": [
        "test_smtp.py::TestSMTPWithController::test_bad_encodings",
        "test_smtp.py::TestStrictASCII::test_bad_encoded_param",
    ],
    "an exception's text never reaches the client": [
        "test_smtp.py::TestSMTPWithController::test_unexpected_errors_unhandled",
        "test_smtp.py::TestSMTPWithController::test_exception_handler_exception",
        "test_smtp.py::TestSMTPWithController::test_exception_handler_undescribable",
    ],
    "a message is kept byte for byte, whatever the length of its lines: its size is what is limited": [
        "test_smtp.py::TestSMTPWithController::test_data_line_too_long",
        "test_smtp.py::TestSMTPWithController::test_long_line_double_count",
        "test_smtp.py::TestSMTPWithController::test_long_line_leak",
        "test_smtp.py::TestSMTPWithController::test_too_long_line_delay_error",
        "test_smtp.py::TestSMTPWithController::test_too_long_lines_then_too_long_body",
    ],
    "past four times the limit a message is cut with 421": [
        "test_smtp.py::TestSMTPWithController::test_too_long_body_then_too_long_lines",
    ],
    "local_part_limit is read when the connection begins": [
        "test_smtp.py::TestCustomization::test_limitlocalpart",
    ],
    "what came before the client's end is answered": [
        "test_smtp.py::TestSleepingHandler::test_close_after_helo",
    ],
    "a timeout says 421 before it closes": [
        "test_smtp.py::TestTimeout::test_timeout",
    ],
    "STARTTLS inside a transaction is 503": [
        "test_starttls.py::TestTLSForgetsSessionData::test_forget_mail",
        "test_starttls.py::TestTLSForgetsSessionData::test_forget_rcpt",
    ],
    "a lone dot between other ends of line than CR LF closes the connection with 521": [
        "test_smtpsmuggling.py::TestSmuggling::test_smtp_smuggling",
    ],
    # How it is done.
    "the replies of one turn go out in one write": [
        "test_smtp.py::TestProtocol::test_honors_mail_delimiters",
        "test_smtp.py::TestProtocol::test_empty_email",
    ],
    "comments and obsolete forms of RFC 5322 are not addresses of RFC 5321": [
        f"test_smtp.py::TestSMTP::test_{verb}_valid_address[{number}]"
        for verb in ("mail", "rcpt")
        for number in (15, 16, 17, 18, 24, 28, 29, 30, 31, 33)
    ],
}
DEVIATIONS: Final = {name: reason for reason, names in _REASONS.items() for name in names}
