-- The operations on calls, each one statement of a client. They take the keys of the accounts from the root down, the
-- time (NULL: this server's), the windows that the client knows, and the request as it goes into the journal.

CREATE OR REPLACE FUNCTION reserve(
    keys uuid[], clock bigint, windows jsonb, request json, call_key uuid, id json, label json, asked jsonb,
    keep jsonb, final bool, again bool, lease bigint
) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    now bigint := lock_tree(keys[1], clock);
    reply json;
    v visit;
BEGIN
    IF NOT final AND keep IS NULL AND asked -> 'unmeasured' = '[]' AND asked -> 'units' <> '{}' THEN
        reply := reserve_plainly(keys, now, request, call_key, id, label, asked, lease);
        IF reply IS NOT NULL THEN
            RETURN reply;
        END IF;
    END IF;
    v := enter(keys, now, windows);
    IF v.reply IS NOT NULL THEN
        RETURN v.reply;
    END IF;
    v.call := find_call(keys[cardinality(keys)], call_key, NULL);
    IF (v.call).state = 'open' THEN
        RETURN reenter(v, request, asked, keep, final, lease);
    ELSIF (v.call).key IS NOT NULL AND NOT (again OR (v.call).state = 'released') THEN
        RETURN json_build_object('call', call_doc(v.call), 'fresh', false);
    END IF;
    v.call := new_call(v.chain, call_key, coalesce((v.call).attempt, 0) + 1, id, label, asked);
    v := admit(v, asked, keep, final);
    IF v.reply IS NOT NULL THEN
        RETURN v.reply;
    END IF;
    v := run(v, lease);
    v.call := add_call(v.call);
    RETURN leave(v, request, json_build_object('call', call_doc(v.call), 'fresh', true, 'time_left', v.left_over));
END $$;

-- It is in flight: its clocks run, and it has until it expires.
CREATE OR REPLACE FUNCTION run(v visit, lease bigint) RETURNS visit LANGUAGE plpgsql AS $$
BEGIN
    v.chain := start_clocks(v.chain, v.now, (v.call).attempt = 0);
    v.call.expires := v.now + lease;
    v.chain[1].soonest := least(v.chain[1].soonest, (v.call).expires);
    v.changed := true;
    RETURN v;
END $$;

-- An open id is asked for again: hold what it asks beyond what is held, and renew the lease.
CREATE OR REPLACE FUNCTION reenter(
    v visit, request json, asked jsonb, keep jsonb, final bool, lease bigint
) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    more jsonb := beyond(asked -> 'units', (v.call).asked -> 'units');
BEGIN
    v := admit(v, jsonb_build_object('units', more, 'unmeasured', '[]'::jsonb), keep, final);
    IF v.reply IS NOT NULL THEN
        RETURN v.reply;
    END IF;
    v.call.asked := widened((v.call).asked, more);
    IF (v.call).paused THEN
        v.call.paused := false;
        v := run(v, lease);
    ELSE
        v.call.expires := greatest((v.call).expires, v.now + lease);
    END IF;
    v.call := change_call(v.call);
    RETURN leave(v, request, json_build_object('call', call_doc(v.call), 'fresh', false, 'time_left', v.left_over));
END $$;

CREATE OR REPLACE FUNCTION beyond(these jsonb, those jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_object_agg(n, (these ->> n)::numeric - coalesce((those ->> n)::numeric, 0)), '{}')
        FROM jsonb_object_keys(these) n WHERE (these ->> n)::numeric > coalesce((those ->> n)::numeric, 0)
    );
END $$;

CREATE OR REPLACE FUNCTION widened(asked jsonb, more jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN asked || jsonb_build_object('units', asked -> 'units' || (
        SELECT coalesce(jsonb_object_agg(
            m.key, (coalesce((asked -> 'units' ->> m.key)::numeric, 0) + m.value::numeric)::text
        ), '{}') FROM jsonb_each(more) m
    ));
END $$;

-- The call of an operation that names one, which may be one that these books have not seen.
CREATE OR REPLACE FUNCTION visit_call(
    keys uuid[], clock bigint, windows jsonb, call_key uuid, nth int, id json, label json
) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    v visit := enter(keys, clock, windows);
BEGIN
    IF v.reply IS NULL THEN
        v.call := find_call(keys[cardinality(keys)], call_key, nth);
        IF (v.call).key IS NULL THEN
            v.call := unreserved(v.chain, call_key, coalesce(nth, 1), id, label);
            v.changed := true;
            v.call := add_call(v.call);
        END IF;
    END IF;
    RETURN v;
END $$;

-- Write what became of the call, and tell it.
CREATE OR REPLACE FUNCTION leave_call(v visit, request json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF v.reply IS NOT NULL THEN
        RETURN v.reply;
    ELSIF v.changed THEN
        v.call := change_call(v.call);
    END IF;
    RETURN leave(v, request, CASE
        WHEN (v.call).key IS NULL THEN '{}' ELSE json_build_object('call', call_doc(v.call))
    END);
END $$;

CREATE OR REPLACE FUNCTION settle(
    keys uuid[], clock bigint, windows jsonb, request json, call_key uuid, nth int, id json, label json, cost jsonb
) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    now bigint := lock_tree(keys[1], clock);
    reply json;
    v visit;
BEGIN
    IF cost -> 'unmeasured' = '[]' AND cost -> 'estimated' = '[]' THEN
        reply := settle_plainly(keys, now, request, call_key, nth, cost);
        IF reply IS NOT NULL THEN
            RETURN reply;
        END IF;
    END IF;
    v := visit_call(keys, now, windows, call_key, nth, id, label);
    IF v.reply IS NULL THEN
        v := settle_found(v, cost);
    END IF;
    RETURN leave_call(v, request);
END $$;

CREATE OR REPLACE FUNCTION release(
    keys uuid[], clock bigint, windows jsonb, request json, call_key uuid, nth int, id json, label json
) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v visit := visit_call(keys, clock, windows, call_key, nth, id, label);
    nothing jsonb := '{"units": {}, "estimated": [], "unmeasured": []}';
BEGIN
    IF v.reply IS NULL AND (v.call).state = 'open' THEN
        v := end_call(v, nothing, v.now, 'released');
    ELSIF v.reply IS NULL AND (v.call).state = 'lapsed' THEN
        v := settle_found(v, nothing);
    END IF;
    RETURN leave_call(v, request);
END $$;

CREATE OR REPLACE FUNCTION pause(
    keys uuid[], clock bigint, windows jsonb, request json, call_key uuid, nth int, id json, label json, lease bigint
) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v visit := visit_call(keys, clock, windows, call_key, nth, id, label);
BEGIN
    IF v.reply IS NULL AND (v.call).state = 'open' AND NOT (v.call).paused THEN
        v.chain := stop_clocks(v.chain, v.now, false);
        v.call.paused := true;
        v.call.expires := v.now + lease;
        v.chain[1].soonest := least(v.chain[1].soonest, (v.call).expires);
        v.changed := true;
    END IF;
    RETURN leave_call(v, request);
END $$;

-- A call, or (nth = 0) a scope that is open.
CREATE OR REPLACE FUNCTION renew(
    keys uuid[], clock bigint, windows jsonb, request json, call_key uuid, nth int, id json, label json, lease bigint
) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v visit := CASE nth WHEN 0 THEN visit_scope(keys, clock, windows, call_key)
                        ELSE visit_call(keys, clock, windows, call_key, nth, id, label) END;
BEGIN
    IF v.reply IS NULL AND (v.call).state = 'open' AND NOT (v.call).paused AND (v.call).expires < v.now + lease THEN
        v.call.expires := v.now + lease;
        v.changed := true;
    END IF;
    RETURN leave_call(v, request);
END $$;

CREATE OR REPLACE FUNCTION charge(
    keys uuid[], clock bigint, windows jsonb, request json, call_key uuid, id json, label json, cost jsonb
) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v visit := visit_call(keys, clock, windows, call_key, NULL, id, label);
BEGIN
    IF v.reply IS NULL THEN
        v := settle_found(v, cost);
    END IF;
    RETURN leave_call(v, request);
END $$;

-- A scope that is open; no call if it is not.
CREATE OR REPLACE FUNCTION visit_scope(keys uuid[], clock bigint, windows jsonb, call_key uuid)
RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    v visit := enter(keys, clock, windows);
BEGIN
    IF v.reply IS NULL THEN
        v.call := find_call(keys[cardinality(keys)], call_key, 0);
    END IF;
    RETURN v;
END $$;

CREATE OR REPLACE FUNCTION start(
    keys uuid[], clock bigint, windows jsonb, request json, call_key uuid, id json, lease bigint
) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v visit := visit_scope(keys, clock, windows, call_key);
BEGIN
    IF v.reply IS NULL AND (v.call).key IS NULL THEN
        v.call := new_call(v.chain, call_key, 0, id, '""', '{"units": {}, "estimated": [], "unmeasured": []}');
        v := run(v, lease);
        v.call := add_call(v.call);
    END IF;
    RETURN leave_call(v, request);
END $$;

CREATE OR REPLACE FUNCTION stop(keys uuid[], clock bigint, windows jsonb, request json, call_key uuid)
RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v visit := visit_scope(keys, clock, windows, call_key);
BEGIN
    IF v.reply IS NULL AND (v.call).key IS NOT NULL THEN
        v.chain := stop_clocks(v.chain, v.now, true);
        v.changed := true;
        DELETE FROM calls c WHERE c.account = (v.call).account AND c.key = call_key AND c.attempt = 0;
    END IF;
    RETURN leave(v, request, coalesce(v.reply, '{}'));
END $$;
