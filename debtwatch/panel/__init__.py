"""From files to the panel: reading, checks, store, quarters."""
