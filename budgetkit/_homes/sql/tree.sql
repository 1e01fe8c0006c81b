-- The account tree: how an amount travels from an account to the root. The functions of this file work on copies of the
-- accounts from the root down (a chain), which `save` writes back; who calls them holds the lock of the tree.

DROP TYPE IF EXISTS node CASCADE;

CREATE TYPE node AS (
    key uuid, limits jsonb, kept jsonb, shares jsonb, held jsonb, spent jsonb, estimated jsonb, unmeasured jsonb,
    elapsed bigint, since bigint, users int, frozen bool, slice bigint, starts bigint, ends bigint, slices jsonb,
    soonest bigint, entries bigint, places bigint
);

CREATE FUNCTION load(keys uuid[]) RETURNS node[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN (
        SELECT coalesce(array_agg(ROW(
            a.key, a.limits, a.kept, a.shares, a.held, a.spent, a.estimated, a.unmeasured, a.elapsed, a.since, a.users,
            a.frozen, a.slice, a.starts, a.ends, a.slices, a.soonest, a.entries, a.places
        )::node ORDER BY cardinality(a.lineage)), '{}')
        FROM accounts a WHERE a.key = ANY (keys)
    );
END $$;

CREATE FUNCTION save(chain node[]) RETURNS node[] LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts a SET
        limits = n.limits, kept = n.kept, shares = n.shares, held = n.held, spent = n.spent, estimated = n.estimated,
        unmeasured = n.unmeasured, elapsed = n.elapsed, since = n.since, users = n.users, frozen = n.frozen,
        starts = n.starts, ends = n.ends, slices = n.slices, soonest = n.soonest, entries = n.entries,
        places = n.places
    FROM unnest(chain) n WHERE a.key = n.key;
    RETURN chain;
END $$;

CREATE FUNCTION names_of(amounts jsonb) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(SELECT jsonb_object_keys(amounts));
END $$;

-- The names, in the order in which all homes judge them.
CREATE FUNCTION sorted(amounts jsonb) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(SELECT k FROM jsonb_object_keys(amounts) k ORDER BY k COLLATE "C");
END $$;

-- Stopwatches. A clock that was set back counts as standing still.

CREATE FUNCTION in_use(n node, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN n.elapsed + CASE WHEN n.users > 0 THEN greatest(0, now - n.since) ELSE 0 END;
END $$;

-- A call runs the clocks of the accounts that limit time; a scope that is open, of all.
CREATE FUNCTION start_clocks(chain node[], now bigint, every bool) RETURNS node[] LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(chain) LOOP
        IF every OR chain[i].limits ? 'seconds' THEN
            IF chain[i].users = 0 THEN
                chain[i].since := now;
            END IF;
            chain[i].users := chain[i].users + 1;
        END IF;
    END LOOP;
    RETURN chain;
END $$;

CREATE FUNCTION stop_clocks(chain node[], now bigint, every bool) RETURNS node[] LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(chain) LOOP
        IF every OR chain[i].limits ? 'seconds' THEN
            chain[i].elapsed := in_use(chain[i], now);
            chain[i].since := greatest(now, chain[i].since);
            chain[i].users := chain[i].users - 1;
        END IF;
    END LOOP;
    RETURN chain;
END $$;

-- Microseconds until the nearest limit on seconds; NULL without one.
CREATE FUNCTION time_left(chain node[], now bigint) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    nearest numeric;
BEGIN
    FOR i IN 1 .. cardinality(chain) LOOP
        IF chain[i].limits ? 'seconds' THEN
            nearest := least(nearest, ceiling(chain[i], 'seconds') * 1000 - in_use(chain[i], now));
        END IF;
    END LOOP;
    RETURN nearest;
END $$;

-- Judging.

-- What an ordinary call may raise the account to: the limit less the answer reserve; NULL without a limit.
CREATE FUNCTION ceiling(n node, name text) RETURNS numeric LANGUAGE plpgsql AS $$
BEGIN
    RETURN (n.limits -> name)::numeric - coalesce((n.kept -> name)::numeric, 0);
END $$;

CREATE FUNCTION refusal(n node, depth int, name text, held numeric, spent numeric, asked numeric)
RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN jsonb_build_object('refused', jsonb_build_object(
        'depth', depth, 'resource', name, 'limit', (n.limits ->> name), 'spent', spent::text,
        'reserved', (held - spent + coalesce((n.kept -> name)::numeric, 0))::text, 'asked', asked::text, 'frozen', false
    ));
END $$;

-- The refusal of the outermost account that cannot pay, or NULL; the time counts as well where ``now`` is given.
CREATE FUNCTION judge(chain node[], names text[], need jsonb, now bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    n node;
    name text;
    refused jsonb;
BEGIN
    FOR i IN 1 .. cardinality(chain) LOOP
        n := chain[i];
        IF now IS NOT NULL AND n.limits ? 'seconds' THEN
            refused := judge_time(n, i, coalesce((need ->> 'seconds')::numeric, 0), now);
            IF refused IS NOT NULL THEN
                RETURN refused;
            END IF;
        END IF;
        FOREACH name IN ARRAY names LOOP
            IF coalesce((n.held -> name)::numeric, 0) + (need ->> name)::numeric
               > (n.limits -> name)::numeric - coalesce((n.kept -> name)::numeric, 0)
               AND name <> 'seconds' AND NOT paid_below(chain, i, name) THEN
                RETURN refusal(n, i, name, coalesce((n.held -> name)::numeric, 0),
                               coalesce((n.spent -> name)::numeric, 0), (need ->> name)::numeric);
            END IF;
        END LOOP;
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION judge_time(n node, depth int, asked numeric, now bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    used bigint := in_use(n, now);
BEGIN
    IF used + greatest(1, asked * 1000) > ceiling(n, 'seconds') * 1000 THEN
        RETURN refusal(n, depth, 'seconds', used / 1000, used / 1000, asked);
    END IF;
    RETURN NULL;
END $$;

-- Whether an account below has paid already, by taking its share out at the start.
CREATE FUNCTION paid_below(chain node[], depth int, name text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN depth + 1 .. cardinality(chain) LOOP
        IF chain[i].shares ? name THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

-- The refusal of the outermost account that is frozen, if anything is asked, or NULL.
CREATE FUNCTION judge_frozen(chain node[], asked jsonb, names text[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    name text := coalesce(names[1], asked -> 'unmeasured' ->> 0);
    held numeric;
    spent numeric;
BEGIN
    FOR i IN 1 .. cardinality(chain) LOOP
        IF chain[i].frozen AND name IS NOT NULL THEN
            held := coalesce((chain[i].held -> name)::numeric, 0);
            spent := coalesce((chain[i].spent -> name)::numeric, 0);
            RETURN jsonb_build_object('refused', jsonb_build_object(
                'depth', i, 'resource', name, 'limit', least((chain[i].limits -> name)::numeric, held)::text,
                'spent', spent::text, 'reserved', (held - spent)::text,
                'asked', coalesce(asked -> 'units' ->> name, '0'), 'frozen', true
            ));
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- Holding and spending.

-- Reserve on the way up, or free; a share passes on only what goes beyond it.
CREATE FUNCTION hold(chain node[], names text[], amounts jsonb) RETURNS node[] LANGUAGE plpgsql AS $$
DECLARE
    name text;
    amount numeric;
    was numeric;
    share numeric;
    i int;
BEGIN
    FOREACH name IN ARRAY names LOOP
        CONTINUE WHEN name = 'seconds';
        amount := (amounts ->> name)::numeric;
        i := cardinality(chain);
        WHILE i > 0 AND amount <> 0 LOOP
            was := coalesce((chain[i].held -> name)::numeric, 0);
            chain[i].held := chain[i].held || jsonb_build_object(name, was + amount);
            IF chain[i].shares ? name THEN
                share := (chain[i].limits -> name)::numeric;
                amount := greatest(was + amount, share) - greatest(was, share);
            END IF;
            i := i - 1;
        END LOOP;
    END LOOP;
    RETURN chain;
END $$;

-- Of what is held, this much was spent at ``at``; in a window that is over by now, it is held no longer.
CREATE FUNCTION spend(n node, names text[], amounts jsonb, at bigint) RETURNS node LANGUAGE plpgsql AS $$
DECLARE
    name text;
    amount numeric;
BEGIN
    FOREACH name IN ARRAY names LOOP
        amount := (amounts ->> name)::numeric;
        CONTINUE WHEN amount = 0;
        IF at >= n.starts THEN
            n.spent := plus(n.spent, name, amount);
        ELSE
            n.held := plus(n.held, name, -amount);
        END IF;
        IF n.slice IS NOT NULL AND at >= n.starts THEN
            n.slices := n.slices || jsonb_build_object(at - at % n.slice, plus(
                coalesce(n.slices -> (at - at % n.slice)::text, '{}'), name, amount
            ));
        END IF;
    END LOOP;
    RETURN n;
END $$;

CREATE FUNCTION plus(amounts jsonb, name text, more numeric) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN amounts || jsonb_build_object(name, coalesce((amounts -> name)::numeric, 0) + more);
END $$;

-- Remember, up to the root, which resources hold an estimate or are a lower bound; -1 forgets one.
CREATE FUNCTION mark(chain node[], spend jsonb, by int) RETURNS node[] LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR i IN 1 .. cardinality(chain) LOOP
        FOR name IN SELECT jsonb_array_elements_text(spend -> 'estimated') LOOP
            chain[i].estimated := plus(chain[i].estimated, name, by);
        END LOOP;
        FOR name IN SELECT jsonb_array_elements_text(spend -> 'unmeasured') LOOP
            chain[i].unmeasured := plus(chain[i].unmeasured, name, by);
        END LOOP;
    END LOOP;
    RETURN chain;
END $$;

-- Windows.

-- Forget what no longer counts in its window; the calendar's boundaries come from the client, which knows time zones.
CREATE FUNCTION roll(chain node[], now bigint, windows jsonb) RETURNS node[] LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(chain) LOOP
        IF chain[i].slice IS NOT NULL THEN
            chain[i] := slide(chain[i], now);
        ELSIF now >= chain[i].ends THEN
            chain[i] := forget(chain[i], chain[i].spent);
            chain[i].starts := windows -> chain[i].key::text -> 0;
            chain[i].ends := windows -> chain[i].key::text -> 1;
            chain[i].elapsed := 0;
            chain[i].since := greatest(chain[i].starts, chain[i].since);
        END IF;
    END LOOP;
    RETURN chain;
END $$;

CREATE FUNCTION slide(n node, now bigint) RETURNS node LANGUAGE plpgsql AS $$
DECLARE
    at text;
BEGIN
    n.starts := greatest(n.starts, (now / n.slice - 60) * n.slice);
    FOR at IN SELECT k FROM jsonb_object_keys(n.slices) k WHERE k::bigint < n.starts LOOP
        n := forget(n, n.slices -> at);
        n.slices := n.slices - at;
    END LOOP;
    RETURN n;
END $$;

CREATE FUNCTION forget(n node, gone jsonb) RETURNS node LANGUAGE plpgsql AS $$
DECLARE
    name text;
    amount numeric;
BEGIN
    FOR name, amount IN SELECT e.key, e.value::numeric FROM jsonb_each(gone) e LOOP
        n.held := plus(n.held, name, -amount);
        n.spent := plus(n.spent, name, -amount);
    END LOOP;
    RETURN n;
END $$;
