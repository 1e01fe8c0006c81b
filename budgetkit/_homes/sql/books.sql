-- How one call is admitted and written down, and what happens before every operation: what is due lapses, what is over
-- leaves its window. A visit is one operation under way.

DROP TYPE IF EXISTS visit CASCADE;

CREATE TYPE visit AS (now bigint, chain node[], call calls, left_over numeric, changed bool, reply json);

-- Calls.

-- What was not measured is kept at what was reserved; what was not reserved either stays unmeasured.
CREATE FUNCTION estimate(asked jsonb, spend jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    name text;
    units jsonb := spend -> 'units';
    estimated jsonb := spend -> 'estimated';
    unmeasured jsonb := spend -> 'unmeasured';
BEGIN
    IF spend IS NULL THEN
        RETURN jsonb_build_object('units', asked -> 'units', 'estimated', to_jsonb(names_of(asked -> 'units')),
                                  'unmeasured', '[]'::jsonb);
    END IF;
    FOR name IN SELECT n FROM jsonb_array_elements_text(spend -> 'unmeasured') n WHERE asked -> 'units' ? n LOOP
        units := units || jsonb_build_object(name, greatest(
            (asked -> 'units' ->> name)::numeric, (spend -> 'units' ->> name)::numeric
        )::text);
        estimated := estimated - name || to_jsonb(name);
        unmeasured := unmeasured - name;
    END LOOP;
    RETURN jsonb_build_object('units', units, 'estimated', estimated, 'unmeasured', unmeasured);
END $$;

-- Hold what is asked on every account, or set the refusal of the outermost that cannot pay. The call must fit beside
-- the new answer reserve, or, if it is the final one, may use the account's own. A refusal leaves the reserve as it
-- was.
CREATE FUNCTION admit(v visit, asked jsonb, keep jsonb, final bool) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    own int := cardinality(v.chain);
    kept jsonb := coalesce(keep, v.chain[own].kept);
    names text[] := sorted(asked -> 'units');
BEGIN
    v.chain[own].kept := CASE WHEN final THEN '{}' ELSE kept END;
    v.left_over := time_left(v.chain, v.now);
    v.reply := coalesce(
        judge_frozen(v.chain, asked, names),
        judge_unknown(v.chain, asked),
        judge(v.chain, names, asked -> 'units', v.now)
    );
    IF v.reply IS NULL THEN
        v.chain := hold(v.chain, names, asked -> 'units');
        v.chain[own].kept := kept;
        v.changed := true;
    END IF;
    RETURN v;
END $$;

-- Refused if the worst case of something that is limited is not known.
CREATE FUNCTION judge_unknown(chain node[], asked jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    IF asked -> 'unmeasured' = '[]' THEN
        RETURN NULL;
    END IF;
    FOR name IN SELECT jsonb_array_elements_text(asked -> 'unmeasured') LOOP
        FOR i IN 1 .. cardinality(chain) LOOP
            IF chain[i].limits ? name THEN
                RETURN jsonb_build_object('unknown', jsonb_build_object('depth', i, 'resource', name));
            END IF;
        END LOOP;
    END LOOP;
    RETURN NULL;
END $$;

-- Replace what the books hold for the call by what it cost at ``at``, on every account; name the overshoot.
CREATE FUNCTION book(v visit, cost jsonb, at bigint) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    was jsonb := (v.call).spend;
    used jsonb := cost -> 'units' #- '{seconds}';
    held jsonb := coalesce(was, (v.call).asked) -> 'units' #- '{seconds}';
    names text[] := names_of(used || held);
    before node[] := v.chain;
    more jsonb := minus(used, held, names);
BEGIN
    v.chain := hold(v.chain, names, more);
    IF was IS NULL THEN
        names := names_of(used);
    END IF;
    FOR i IN 1 .. cardinality(v.chain) LOOP
        v.chain[i] := spend(v.chain[i], names, CASE WHEN was IS NULL THEN used ELSE more END, at);
    END LOOP;
    IF was IS NOT NULL THEN
        v.chain := mark(v.chain, was, -1);
    END IF;
    v.chain := mark(v.chain, cost, 1);
    v.call.overshoot := overshoot(before, v.chain, names_of(used));
    v.call.spend := cost;
    RETURN v;
END $$;

CREATE FUNCTION minus(these jsonb, those jsonb, names text[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    name text;
    difference jsonb := '{}';
BEGIN
    FOREACH name IN ARRAY names LOOP
        difference := difference || jsonb_build_object(
            name, coalesce((these ->> name)::numeric, 0) - coalesce((those ->> name)::numeric, 0)
        );
    END LOOP;
    RETURN difference;
END $$;

-- By how much a call broke limits, told account by account: of a call on a share, less reaches the accounts above.
CREATE FUNCTION overshoot(before node[], after node[], names text[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    name text;
    most numeric;
    found jsonb := '{}';
BEGIN
    FOREACH name IN ARRAY names LOOP
        most := 0;
        FOR i IN 1 .. cardinality(after) LOOP
            IF (after[i].held -> name)::numeric > (after[i].limits -> name)::numeric THEN
                most := greatest(most, (after[i].held -> name)::numeric - greatest(
                    (after[i].limits -> name)::numeric, coalesce((before[i].held -> name)::numeric, 0)
                ));
            END IF;
        END LOOP;
        IF most > 0 THEN
            found := found || jsonb_build_object(name, most::text);
        END IF;
    END LOOP;
    RETURN found;
END $$;

-- A call is over.
CREATE FUNCTION end_call(v visit, cost jsonb, at bigint, state text) RETURNS visit LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (v.call).paused THEN
        v.chain := stop_clocks(v.chain, at, false);
    END IF;
    v := book(v, cost, at);
    v.call.state := state;
    IF state <> 'released' THEN
        v := give_place(v);
    END IF;
    v.changed := true;
    RETURN v;
END $$;

CREATE FUNCTION give_place(v visit) RETURNS visit LANGUAGE plpgsql AS $$
BEGIN
    v.chain[1].places := v.chain[1].places + 1;
    v.call.place := v.chain[1].places;
    RETURN v;
END $$;

-- Settle a call in whatever state: open, lapsed, taken back, or settled (then it stays as it is).
CREATE FUNCTION settle_found(v visit, cost jsonb) RETURNS visit LANGUAGE plpgsql AS $$
BEGIN
    cost := estimate((v.call).asked, cost);
    IF (v.call).state = 'open' THEN
        v := end_call(v, cost, v.now, 'settled');
    ELSIF (v.call).state <> 'settled' THEN
        -- What lapsed was booked when it expired, and is corrected there.
        v := book(v, cost, CASE (v.call).state WHEN 'lapsed' THEN (v.call).expires ELSE v.now END);
        IF (v.call).state = 'released' THEN
            v := give_place(v);
        END IF;
        v.call.state := 'settled';
        v.changed := true;
    END IF;
    RETURN v;
END $$;

-- Before and after every operation.

-- Who is first in the tree goes first, and learns the time when it is its turn. One lock an operation, so that nobody
-- waits in a circle.
CREATE FUNCTION lock_tree(root uuid, clock bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(uuid_hash_extended(root, 0));
    RETURN coalesce(clock, extract(epoch FROM clock_timestamp()) * 1000000);
END $$;

-- The lock of the tree, the time, and the accounts as they are by then; a reply if the operation ends here.
CREATE FUNCTION enter(keys uuid[], clock bigint, windows jsonb) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    v visit;
BEGIN
    v.now := lock_tree(keys[1], clock);
    v.chain := load(keys);
    v.changed := false;
    IF cardinality(v.chain) < cardinality(keys) THEN
        v.reply := '{"missing": true}';
    ELSIF v.chain[1].soonest <= v.now OR rolls(v.chain, v.now) THEN
        v := catch_up(v, keys, windows);
    END IF;
    RETURN v;
END $$;

CREATE FUNCTION rolls(chain node[], now bigint) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(chain) LOOP
        IF chain[i].slice IS NOT NULL OR now >= chain[i].ends THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

CREATE FUNCTION catch_up(v visit, keys uuid[], windows jsonb) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    over bool;
BEGIN
    v.reply := coalesce(ask_for_windows(keys, v.now, windows), lapse(keys[1], v.now, windows));
    IF v.reply IS NOT NULL THEN
        RETURN v;
    END IF;
    v.chain := load(keys);
    over := v.now >= ANY (SELECT ends FROM unnest(v.chain));
    v.chain := roll(v.chain, v.now, windows);
    IF over THEN
        v.chain := save(v.chain);
    END IF;
    RETURN v;
END $$;

-- At most so many calls lapse in one operation: a crowd that died must not make it too long to be finished.
CREATE FUNCTION due(tree uuid, by_now bigint) RETURNS SETOF calls LANGUAGE sql AS $$
    SELECT * FROM calls WHERE root = tree AND state = 'open' AND expires <= by_now ORDER BY expires, born LIMIT 500;
$$;

-- The calendar windows that are over by now and whose successors the client has not said.
CREATE FUNCTION ask_for_windows(keys uuid[], now bigint, windows jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object('roll', jsonb_agg(jsonb_build_array(a.key, a."window")), 'now', now)
        FROM accounts a
        WHERE a.ends <= now AND NOT knows_window(windows, a.key, now) AND a.key IN (
            SELECT unnest(keys)
            UNION SELECT unnest(b.lineage) FROM due(keys[1], now) c JOIN accounts b ON b.key = c.account
        )
        HAVING count(*) > 0
    );
END $$;

CREATE FUNCTION knows_window(windows jsonb, key uuid, now bigint) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
    bounds jsonb := windows -> key::text;
BEGIN
    RETURN coalesce(now >= (bounds -> 0)::bigint AND now < (bounds -> 1)::bigint, false);
END $$;

-- A reservation that nobody settled in time counts as spent, never as nothing.
CREATE FUNCTION lapse(tree uuid, by_now bigint, windows jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    late calls;
    next_one bigint;
BEGIN
    FOR late IN SELECT * FROM due(tree, by_now) LOOP
        PERFORM lapse_one(late, by_now, windows);
    END LOOP;
    SELECT min(expires) INTO next_one FROM calls WHERE root = tree AND state = 'open';
    UPDATE accounts SET soonest = next_one WHERE key = tree;
    RETURN CASE WHEN next_one <= by_now THEN '{"more": true}' END;
END $$;

CREATE FUNCTION lapse_one(late calls, now bigint, windows jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v visit;
BEGIN
    v.call := late;
    v.now := now;
    v.chain := roll(load((SELECT lineage FROM accounts WHERE key = late.account)), now, windows);
    IF late.attempt = 0 THEN
        v.chain := stop_clocks(v.chain, late.expires, true);
        DELETE FROM calls c WHERE c.account = late.account AND c.key = late.key AND c.attempt = 0;
    ELSE
        v := end_call(v, estimate(late.asked, NULL), late.expires, 'lapsed');
        v.call := change_call(v.call);
    END IF;
    v.chain := save(v.chain);
END $$;

-- An operation is over: if it changed something, write the accounts, and the request in the journal.
CREATE FUNCTION leave(v visit, request json, reply json) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF v.changed THEN
        v.chain[1].entries := v.chain[1].entries + 1;
        v.chain := save(v.chain);
        INSERT INTO journal VALUES (v.chain[1].key, v.chain[1].entries, v.now, request);
    END IF;
    RETURN reply;
END $$;
