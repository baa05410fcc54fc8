"""An SMTP server for one test: keeps every mail as a JSON file, and refuses some recipients.

Usage: server.py FOLDER PORT BEHAVIOUR. PORT may be 0, for any: FOLDER/port tells where it listens, and
FOLDER/connections how many connections were made to it and how many are open. BEHAVIOUR is JSON, see `Behaviour` in smtp.rs;
the certificate, if it needs one, is FOLDER/certificate.pem, with its key.

Recipients by local part: `tempfail` is refused with 451, `reject` with 550; both replies quote the
address, as those of real servers do. Any other is taken.
"""

import asyncio
import email
import email.policy
import errno
import itertools
import json
import logging
import os
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

REFUSALS = {
    "tempfail": "451 4.2.1 <{}>: mailbox is busy, try again later",
    "reject": "550 5.1.1 <{}>: no such recipient here",
}


def write(folder, name, text):
    """Writes beside and renames, so that nobody reads half a file."""
    beside = os.path.join(folder, "." + name)
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(beside, os.path.join(folder, name))


def read(envelope):
    """What a mail program would show of a mail, by Python's own parser."""
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    return {
        "sender": envelope.mail_from,
        "recipients": envelope.rcpt_tos,
        "content_type": mail.get_content_type(),
        "headers": [[name, str(value)] for name, value in mail.items()],
        "plain": parts.get("text/plain"),
        "html": parts.get("text/html"),
    }


class Handler:
    def __init__(self, folder, pipelining):
        self.folder = folder
        self.pipelining = pipelining
        have = [int(name.split(".")[0]) for name in os.listdir(folder) if name.endswith(".json")]
        self.numbers = itertools.count(max(have, default=0) + 1)
        self.made = 0
        self.open = set()
        self.count()

    def count(self):
        write(self.folder, "connections", f"{self.made} {len(self.open)}")

    def connected(self, connection):
        self.made += 1
        self.open.add(connection)
        self.count()

    def disconnected(self, connection):
        self.open.discard(connection)
        self.count()

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        # It reads line by line whatever has come, and so it does what it does not say.
        return [responses[0], "250-PIPELINING"] + responses[1:] if self.pipelining else responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = REFUSALS.get(address.split("@")[0])
        if refusal:
            return refusal.format(address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        write(self.folder, f"{next(self.numbers):06}.json", json.dumps(read(envelope)))
        return "250 OK"


async def listen(make, port, context):
    """Listens. Whoever tries to connect to a dead server may hold its port for a moment."""
    while True:
        try:
            return await asyncio.get_running_loop().create_server(make, "127.0.0.1", port, ssl=context)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            await asyncio.sleep(0.05)


class CountedSMTP(SMTP):
    def connection_made(self, transport):
        if self.transport is None:  # STARTTLS comes here a second time
            self.event_handler.connected(self)
        super().connection_made(transport)

    def connection_lost(self, error):
        super().connection_lost(error)
        self.event_handler.disconnected(self)


def checks(login):
    def check(server, session, envelope, mechanism, data):
        given = [data.login.decode(), data.password.decode()]
        return AuthResult(success=given == login, handled=False)

    return check


def leave_out_advice():
    """Warnings are for who configures a server for others."""
    warnings.simplefilter("ignore")
    logging.getLogger("mail.log").setLevel(logging.ERROR)


async def main(folder, port, behaviour):
    options = {"enable_SMTPUTF8": True, "ident": "waybill-testkit", "timeout": behaviour["patience"]}
    context = None
    if behaviour["tls"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.path.join(folder, "certificate.pem"))
    if behaviour["tls"] == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
        context = None
    if behaviour["login"]:
        check = checks(behaviour["login"])
        options |= {"authenticator": check, "auth_required": True, "auth_require_tls": False}
    handler = Handler(folder, behaviour["pipelining"])
    server = await listen(lambda: CountedSMTP(handler, **options), port, context)
    write(folder, "port", str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


leave_out_advice()
asyncio.run(main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])))
