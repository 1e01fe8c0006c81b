"""Planners: search strategies that ask and are told, the policies behind them, and the node that runs them."""
