"""What the lab leaves with a browser, so that a reload finds it again."""

from __future__ import annotations

import json

import streamlit as st


def read(purpose: str) -> str:
    """What this browser came with; empty where it has nothing. No page of another host reads it."""
    return str(st.context.cookies.get(_name(purpose), ""))


def leave(purpose: str, value: str, seconds: float) -> None:
    """Leave a value with the browser for so long; an empty one is taken away."""
    lasts = f"{seconds:.0f}" if value else "0"
    kept = f"{_name(purpose)}={value}; Path=/; SameSite=Strict; Max-Age={lasts}"
    secure = 'location.protocol === "https:" ? "; Secure" : ""'
    script = f"<script>document.cookie = {json.dumps(kept)} + ({secure});</script>"
    st.html(script, unsafe_allow_javascript=True)


def _name(purpose: str) -> str:
    """Browsers do not keep the cookies of two ports of one host apart."""
    return f"cnnlab_{purpose}_{st.get_option('server.port')}"
