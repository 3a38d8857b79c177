"""Explore: many short runs over a grid, and where which device pays."""

import streamlit as st

from cnnlab.ui import top
from cnnlab.ui.explore import view as explore_view

top.require_app()

st.write("When does the GPU pay off? A sweep measures one network in many sizes, on each device.")
explore_view.show()
