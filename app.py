"""CNN Lab in the browser: `streamlit run app.py`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from cnnlab.spec import LabError
from cnnlab.ui import following, live, orders, tables, top

PAGES = (
    ("train", "Train", ":material/model_training:"),
    ("learn", "Learn", ":material/school:"),
    ("race", "Race", ":material/flag:"),
    ("explore", "Explore", ":material/grid_view:"),
    ("history", "History", ":material/history:"),
    ("compare", "Compare", ":material/compare_arrows:"),
    ("inspect", "Inspect", ":material/visibility:"),
    ("data", "Data", ":material/photo_library:"),
    ("hardware", "Hardware", ":material/memory:"),
    ("present", "Present", ":material/present_to_all:"),
)
HIDDEN = ("present",)  # not in the navigation: a button and a key lead there

st.set_page_config(
    page_title="CNN Lab",
    page_icon=str(top.MARK),  # a name such as ":material/…" would be fetched from the network
    layout="wide",
    # With an entry of its own the menu is shown, and with it the choice of theme.
    menu_items={"About": "**CNN Lab**: train small CNNs, and see what a GPU buys."},
)
st.logo(str(top.NAME))
page = st.navigation(
    [
        st.Page(
            f"pages/{name}.py",
            title=title,
            icon=icon,
            default=name == "train",
            visibility="hidden" if name in HIDDEN else "visible",
        )
        for name, title, icon in PAGES
        if Path(__file__).with_name("pages").joinpath(f"{name}.py").exists()
    ],
    position="top",
)
with live.drawing():
    try:
        following.arrive(page.url_path)
        orders.arrive()
        top.heading(page.title)
        # What a page is for comes before the line above it, for who goes on by Tab.
        place = st.container(key="page")
        top.bar()
        with place:
            page.run()
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
    following.settle()
    top.settle()
