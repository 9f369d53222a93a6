"""Names of products as the Common Platform Enumeration writes them, and what sources say with them.

`name`           one name: parse, write, escape
`relation`       how two names relate as sets of products
`applicability`  NVD's configurations: AND/OR trees of names, and their flat form
`target`         whether what a name fixes beyond version (edition, platform) holds for a component
"""
