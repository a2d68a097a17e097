# SPDX-License-Identifier: Apache-2.0
"""The API with asyncio: the same names as in tcproctor, every call awaited.

    async with await tcproctor.aio.connect() as daemon:
        async with await daemon.session(a="stack", b="kernel") as session:
            listener = await session.b.listen(80)
"""
from tcproctor.aio.drive import Drive
from tcproctor.aio.peer import Peer
from tcproctor.aio.session import Client, Connection, Endpoint, Session, connect
from tcproctor.aio.wire import Wire

__all__ = ["Client", "Connection", "Drive", "Endpoint", "Peer", "Session", "Wire", "connect"]
