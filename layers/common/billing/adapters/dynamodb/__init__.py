"""The table: one partition per account, every write in a transaction."""
