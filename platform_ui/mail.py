"""Mails of the platform: short texts with a link.

What lives here: how a mail is sent. What does not: what it says (whoever sends it).

Source: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 8314 (implicit TLS).
"""

import asyncio
import logging
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from platform_ui.errors import MailError
from platform_ui.settings import MailSettings

_log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10


async def send(settings: MailSettings, to: str, subject: str, text: str) -> None:
    """Send a mail.

    Args:
        settings: the server, and the address to send from.
        to: the address of one person.
        subject: one line.
        text: the body.

    Raises:
        MailError: the server does not take it; the log says why.
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.sender, to, " ".join(subject.split())
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="dtwin.invalid")
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office note comes back
    message.set_content(text)
    try:
        await asyncio.to_thread(_deliver, settings, message)
    except (OSError, smtplib.SMTPException) as error:
        _log.error("mail server %s:%d did not take a mail: %s", settings.host, settings.port, error)
        raise MailError("The mail could not be sent.", hint="Tell the operator of this platform.") from error


async def greet(settings: MailSettings) -> None:
    """See whether the server would take a mail, without sending one.

    Raises:
        MailError: it does not answer, or does not let the platform in.
    """
    try:
        await asyncio.to_thread(_deliver, settings, None)
    except (OSError, smtplib.SMTPException) as error:
        raise MailError(f"{settings.host}:{settings.port} takes no mails: {error}") from error


def _deliver(settings: MailSettings, message: EmailMessage | None) -> None:
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if settings.is_encrypted:
        server = smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_S)
    with server:
        server.ehlo()
        if not settings.is_encrypted and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif not settings.is_encrypted and settings.username:
            raise smtplib.SMTPNotSupportedError("it offers no TLS, so the password is not sent")
        if settings.username:
            server.login(settings.username, settings.password)
        if message is None:
            server.noop()
        else:
            server.send_message(message)
