"""The floor every room stands on: settings, clock, logging, outbound HTTP, database, queue."""
