"""Decision tables: data only, one module each, with public id, version and source.

A table is never edited once published. A new version is a new module with a new id, because every
deadline names the table that made it.
"""
