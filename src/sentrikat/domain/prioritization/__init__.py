"""How soon a finding must be repaired, and which finding comes first.

`outcome`     what a policy answers: an outcome word, days or a date, and why
`tables`      the policies as data, each with its public id and source
`ssvc`        BOD 26-04: four inputs decide, and missing ones have rules
`catalog`     BOD 22-01: the date the KEV catalog prints
`severity`    our own service levels by severity word
`deadlines`   calendar days in the organization's time zone; the earliest of several binds
`order`       the one order of priority, explained, and packed into one integer
"""
