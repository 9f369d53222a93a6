"""What the world says about flaws: one adapter per source, and the ways a document can reach it.

An adapter is a module with `fetch(transport, state, options)`, which yields documents, and
`parse(document)`, which yields records. Neither knows a database, a setting or a clock.
"""
