"""Money: accounts, vehicles, visits, holds, sales, recharges and the double-entry ledger.

Start in service.py.
"""
