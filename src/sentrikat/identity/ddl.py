"""The function that keeps the clients' budgets, as a migration makes it.

One row lock decides, so however many ask at once, each sees what the one before it left. A moment far before the last
one means that the clock was set back; the buckets start anew, because nothing can be said of what leaked meanwhile.
"""

from __future__ import annotations

BUDGETS: tuple[str, ...] = (
    """
    create function rate_take(who text, per_hour integer, per_day integer, moment timestamptz,
                              out allowed boolean, out hour_level double precision, out day_level double precision)
    language plpgsql as $$
    declare
        since timestamptz;
        gone double precision;
    begin
        loop
            select b.at, b.hour_level, b.day_level into since, hour_level, day_level
            from rate_bucket b where b.client = who for update;
            exit when found;
            insert into rate_bucket values (who, moment, 0, 0) on conflict (client) do nothing;
        end loop;
        if moment < since - interval '1 minute' then
            since := moment;
            hour_level := 0;
            day_level := 0;
        end if;
        gone := greatest(0, extract(epoch from moment - since));
        hour_level := greatest(0, hour_level - gone * per_hour / 3600);
        day_level := greatest(0, day_level - gone * per_day / 86400);
        -- A millionth of a request for what leaks in fractions.
        allowed := (per_hour = 0 or hour_level + 1 <= per_hour + 1e-6)
               and (per_day = 0 or day_level + 1 <= per_day + 1e-6);
        if allowed then
            hour_level := hour_level + 1;
            day_level := day_level + 1;
            update rate_bucket b
            set at = greatest(since, moment), hour_level = rate_take.hour_level, day_level = rate_take.day_level
            where b.client = who;
        end if;
    end $$
    """,
)

NO_BUDGETS: tuple[str, ...] = ("drop function rate_take(text, integer, integer, timestamptz)",)
