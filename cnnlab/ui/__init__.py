"""What pages are made of: the lab behind them, the form, the drawings. Only pages import it."""
