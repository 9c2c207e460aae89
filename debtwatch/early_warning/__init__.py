"""The risk classifier: which governments will enter a worse class within the next periods."""
