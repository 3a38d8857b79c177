"""Where visitors find a shared lab: the address, and its QR code."""

from __future__ import annotations

from functools import lru_cache
from html import escape

import segno
import streamlit as st

from cnnlab.sharing import visitors_address


def address() -> str:
    """The address that visitors type, or photograph."""
    hosts = [str(host) for host in st.get_option("server.allowedHosts") or ()]
    port, below = st.get_option("server.port"), st.get_option("server.baseUrlPath")
    return visitors_address(str(st.context.url or ""), hosts, int(port), str(below or ""))


def code(url: str) -> str:
    """The QR code of an address as HTML: a picture in itself, nothing is fetched for it."""
    return f'<img class="qr-code" alt="QR code of {escape(url)}" src="{_picture(url)}">'


@lru_cache(maxsize=8)
def _picture(url: str) -> str:
    # Black on white in both themes: many phones do not read the reverse.
    return segno.make(url, error="m", micro=False).svg_data_uri(
        border=2, dark="#000", light="#fff", svgclass=None, lineclass=None, omitsize=True
    )
