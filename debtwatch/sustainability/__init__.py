"""The central outlook: ledgers, drivers, maturities, sources of change."""
