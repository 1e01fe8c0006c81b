-- Version 1 of the tables. Run with the schema as the search path; later versions alter them, and never edit this file.
-- Texts that users chose (paths, ids, labels) are kept as the JSON text that the client wrote: only that can hold a
-- NUL. Keys are digests of them. Amounts are whole units; times are microseconds since 1970.

CREATE TABLE version (number int NOT NULL);

CREATE TABLE accounts (
    key         uuid PRIMARY KEY,
    parent      uuid,
    lineage     uuid[] NOT NULL,                -- the keys from the root down to this account
    path        json NOT NULL,
    limits      jsonb NOT NULL,                 -- {"usd": 100}; a resource without a limit is not in it
    kept        jsonb NOT NULL,                 -- the answer reserve
    prepaid     bool NOT NULL,                  -- opened as a share of the parent
    shares      jsonb NOT NULL DEFAULT '{}',    -- {"usd": 1}: the limits that are taken out of the parent now
    estimated   jsonb NOT NULL DEFAULT '{}',    -- {"usd": 2}: how many calls hold an estimate
    unmeasured  jsonb NOT NULL DEFAULT '{}',    -- of how many calls the number is a lower bound
    elapsed     bigint NOT NULL DEFAULT 0,      -- the stopwatch
    since       bigint NOT NULL DEFAULT 0,
    users       int NOT NULL DEFAULT 0,
    -- what most operations change, side by side: only the stretch of a row that changed is written to the server's log
    held        jsonb NOT NULL DEFAULT '{}',    -- spent or reserved
    spent       jsonb NOT NULL DEFAULT '{}',
    entries     bigint NOT NULL DEFAULT 0,      -- of a root: in the journal of its tree
    places      bigint NOT NULL DEFAULT 0,      -- of a root: calls that were settled
    soonest     bigint                          -- of a root: nothing in flight expires before this
) WITH (fillfactor = 50);                       -- room for the next version of a row beside it: no index is touched

CREATE INDEX accounts_parent ON accounts (parent);

CREATE TABLE calls (
    account     uuid NOT NULL,
    key         uuid NOT NULL,
    attempt     int NOT NULL,                   -- 0: no call but a scope that is open
    root        uuid NOT NULL,
    id          json NOT NULL,
    label       json NOT NULL,
    asked       jsonb NOT NULL,
    spend       jsonb,
    overshoot   jsonb NOT NULL DEFAULT '{}',
    state       text NOT NULL DEFAULT 'open',   -- settled, lapsed, released
    paused      bool NOT NULL DEFAULT false,
    expires     bigint NOT NULL,
    born        bigint NOT NULL,                -- the entry of the journal that made it
    place       bigint,                         -- in the order of settling
    PRIMARY KEY (account, key, attempt)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX calls_in_flight ON calls (root) WHERE state = 'open';

CREATE TABLE top_ups (
    account     uuid NOT NULL,
    key         uuid NOT NULL,
    id          json NOT NULL,
    amounts     jsonb NOT NULL,
    PRIMARY KEY (account, key)
);

CREATE TABLE journal (
    root        uuid NOT NULL,
    entry       bigint NOT NULL,
    at          bigint NOT NULL,
    request     json NOT NULL,
    PRIMARY KEY (root, entry)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal is only ever appended to' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal EXECUTE FUNCTION refuse_change();

CREATE VIEW balances AS
    SELECT a.path, r.name AS resource, (a.limits -> r.name)::numeric AS "limit", (a.kept -> r.name)::numeric AS kept,
           coalesce((a.spent -> r.name)::numeric, 0) AS spent,
           coalesce((a.held -> r.name)::numeric, 0) - coalesce((a.spent -> r.name)::numeric, 0) AS reserved,
           CASE WHEN a.limits ? r.name
                THEN greatest(0, (a.limits -> r.name)::numeric - coalesce((a.held -> r.name)::numeric, 0)) END AS "left"
    FROM accounts a, jsonb_object_keys(a.limits || a.held) r(name)
    WHERE r.name <> 'seconds';
