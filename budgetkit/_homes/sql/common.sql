-- The common case of the two operations that there are most of: accounts without windows, shares and clocks, nothing
-- due, and an amount that fits. Three statements for three accounts or thirty, where the long way of
-- _postgres_operations.sql takes an expression for every step. What is not the common case is NULL here, changes
-- nothing and goes the long way; both give the same result. Who calls these holds the lock of the tree.

CREATE OR REPLACE FUNCTION is_plain(limits jsonb, shares jsonb, frozen bool, win text) RETURNS bool
LANGUAGE sql IMMUTABLE AS $$
    SELECT NOT (frozen OR limits ? 'seconds') AND shares = '{}' AND win IS NULL;
$$;

CREATE OR REPLACE FUNCTION reserve_plainly(
    keys uuid[], now bigint, request json, call_key uuid, id json, label json, asked jsonb, lease bigint
) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    entry_now bigint;
    held_now jsonb;
BEGIN
    SELECT max(a.entries) + 1, jsonb_object_agg(a.key, u.held) INTO entry_now, held_now
    FROM accounts a, LATERAL (
        SELECT jsonb_object_agg(n.key, coalesce((a.held -> n.key)::numeric, 0) + n.value::numeric) AS held,
               bool_and(coalesce(
                   coalesce((a.held -> n.key)::numeric, 0) + n.value::numeric
                   <= (a.limits -> n.key)::numeric - coalesce((a.kept -> n.key)::numeric, 0), true
               )) AS fits
        FROM jsonb_each_text(asked -> 'units') n WHERE n.key <> 'seconds'
    ) u
    WHERE a.key = ANY (keys)
    HAVING count(*) = cardinality(keys) AND bool_and(is_plain(a.limits, a.shares, a.frozen, a."window") AND u.fits)
       AND coalesce(min(a.soonest) > now, true) AND NOT EXISTS (
           SELECT FROM calls k WHERE k.account = keys[cardinality(keys)] AND k.key = call_key
       );
    IF entry_now IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE accounts a SET
        held = a.held || (held_now -> a.key::text),
        entries = CASE WHEN a.parent IS NULL THEN entry_now ELSE 0 END,
        soonest = CASE WHEN a.parent IS NULL THEN least(a.soonest, now + lease) END
    WHERE a.key = ANY (keys);
    WITH noted AS (INSERT INTO journal VALUES (keys[1], entry_now, now, request))
    INSERT INTO calls (account, key, attempt, root, id, label, asked, expires, born)
    VALUES (keys[cardinality(keys)], call_key, 1, keys[1], id, label, asked, now + lease, entry_now);
    RETURN json_build_object('expires', now + lease);
END $$;

CREATE OR REPLACE FUNCTION settle_plainly(keys uuid[], now bigint, request json, call_key uuid, nth int, cost jsonb)
RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    owner uuid := keys[cardinality(keys)];
    entry_now bigint;
    place_now bigint;
    counts_now jsonb;
    reply json;
BEGIN
    SELECT max(a.entries) + 1, max(a.places) + 1, jsonb_object_agg(a.key, jsonb_build_array(u.held, u.spent)),
           json_build_object('asked', (array_agg(k.asked))[1], 'expires', max(k.expires))
    INTO entry_now, place_now, counts_now, reply
    FROM calls k, accounts a, LATERAL (
        SELECT jsonb_object_agg(n.key, (a.held -> n.key)::numeric + n.used - n.was) AS held,
               jsonb_object_agg(n.key, coalesce((a.spent -> n.key)::numeric, 0) + n.used) AS spent,
               bool_and(n.used <= n.was OR coalesce(
                   (a.held -> n.key)::numeric + n.used - n.was <= (a.limits -> n.key)::numeric, true
               )) AS fits
        FROM (
            SELECT w.key, w.value::numeric AS was, coalesce((cost -> 'units' ->> w.key)::numeric, 0) AS used
            FROM jsonb_each_text(k.asked -> 'units') w WHERE w.key <> 'seconds'
        ) n
    ) u
    WHERE a.key = ANY (keys) AND k.account = owner AND k.key = call_key AND k.attempt = nth AND k.state = 'open'
      AND NOT k.paused AND NOT EXISTS (
          SELECT FROM jsonb_object_keys(cost -> 'units') c WHERE c <> 'seconds' AND NOT k.asked -> 'units' ? c
      )
    HAVING count(*) = cardinality(keys) AND bool_and(is_plain(a.limits, a.shares, false, a."window") AND u.fits)
       AND coalesce(min(a.soonest) > now, true);
    IF entry_now IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE accounts a SET
        held = a.held || (counts_now -> a.key::text -> 0),
        spent = a.spent || (counts_now -> a.key::text -> 1),
        entries = CASE WHEN a.parent IS NULL THEN entry_now ELSE 0 END,
        places = CASE WHEN a.parent IS NULL THEN place_now ELSE 0 END
    WHERE a.key = ANY (keys);
    WITH noted AS (INSERT INTO journal VALUES (keys[1], entry_now, now, request))
    UPDATE calls k SET spend = cost, state = 'settled', place = place_now
    WHERE k.account = owner AND k.key = call_key AND k.attempt = nth;
    RETURN reply;
END $$;
