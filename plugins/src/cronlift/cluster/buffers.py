"""Keep a waiting connection small: each waiting task holds one, for the log of its container."""

import asyncio
from typing import Any

# A TLS record holds no more.
STREAM_BUFFER_BYTES = 16 * 1024


def shrink_tls_buffer(transport: asyncio.BaseTransport | None) -> None:
    """Give a TLS connection a read buffer of its own size.

    asyncio (Python 3.11 to 3.14) allots 256 KiB to each, which is nearly all that a waiting task costs: 324 KiB with
    it, 100 KiB without. It offers no way to ask for less, so this reaches for its attributes, and leaves alone what
    looks different. It goes when asyncio takes a size, or allots its buffer late.

    Args:
        transport: Of the connection; plain ones have no such buffer.
    """
    protocol: Any = getattr(transport, "_ssl_protocol", None)
    held = getattr(protocol, "_ssl_buffer", None)
    if not isinstance(held, bytearray) or len(held) <= STREAM_BUFFER_BYTES or not hasattr(protocol, "max_size"):
        return
    buffer = bytearray(STREAM_BUFFER_BYTES)
    # Between two reads nothing is in the buffer: asyncio hands on what it read before it returns to the loop.
    protocol.max_size = STREAM_BUFFER_BYTES
    protocol._ssl_buffer, protocol._ssl_buffer_view = buffer, memoryview(buffer)
