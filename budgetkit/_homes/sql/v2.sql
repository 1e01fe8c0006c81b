-- Version 2: accounts can be frozen, and have windows.

ALTER TABLE accounts
    ADD frozen   bool NOT NULL DEFAULT false,
    ADD "window" text,                          -- 'day@Europe/Berlin', 'sliding@3600'
    ADD slice    bigint,                        -- of a sliding window: the microseconds that are forgotten together
    ADD starts   bigint NOT NULL DEFAULT 0,     -- what was booked before does not count
    ADD ends     bigint,                        -- of a calendar window
    ADD slices   jsonb NOT NULL DEFAULT '{}';   -- of a sliding window: {"<start of the slice>": {"usd": 3}}
