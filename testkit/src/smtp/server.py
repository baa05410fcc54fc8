"""An SMTP server for one test: keeps every mail as a JSON file, and refuses some recipients.

Usage: server.py FOLDER PORT (0 for any). FOLDER/port tells where it listens.

Recipients by local part: `tempfail` is refused with 451, `reject` with 550; both replies quote the
address, as those of real servers do. Any other is taken.
"""

import asyncio
import email
import email.policy
import errno
import itertools
import json
import os
import sys

from aiosmtpd.smtp import SMTP

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
    def __init__(self, folder):
        self.folder = folder
        have = [int(name.split(".")[0]) for name in os.listdir(folder) if name.endswith(".json")]
        self.numbers = itertools.count(max(have, default=0) + 1)

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = REFUSALS.get(address.split("@")[0])
        if refusal:
            return refusal.format(address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        write(self.folder, f"{next(self.numbers):06}.json", json.dumps(read(envelope)))
        return "250 OK"


async def listen(make, port):
    """Listens. Whoever tries to connect to a dead server may hold its port for a moment."""
    while True:
        try:
            return await asyncio.get_running_loop().create_server(make, "127.0.0.1", port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            await asyncio.sleep(0.05)


async def main(folder, port):
    handler = Handler(folder)
    make = lambda: SMTP(handler, enable_SMTPUTF8=True, ident="waybill-testkit")
    server = await listen(make, port)
    write(folder, "port", str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
