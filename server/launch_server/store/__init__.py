"""Everything kept: tables, and queries by noun. SQL of one kind of database only is in `adapter`."""
