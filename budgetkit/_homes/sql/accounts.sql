-- The operations on accounts, each one statement of a client; see _postgres_operations.sql for what they take.

CREATE OR REPLACE FUNCTION open(
    keys uuid[], clock bigint, windows jsonb, request json, path json, limits jsonb, names text[], kept jsonb,
    share bool, win text, slice bigint
) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    own int := cardinality(keys);
    now bigint := lock_tree(keys[1], clock);
    v visit;
    known accounts;
BEGIN
    SELECT * INTO known FROM accounts a WHERE a.key = keys[own];
    v := CASE WHEN known.key IS NOT NULL THEN enter(keys, now, windows)
              ELSE enter_new(keys, now, windows, limits, kept, win, slice) END;
    IF v.reply IS NULL AND share AND coalesce(known.prepaid, own > 1) THEN
        v := take_share(v, names);
    END IF;
    IF v.reply IS NULL AND known.key IS NULL THEN
        INSERT INTO accounts (key, parent, lineage, path, limits, kept, prepaid, "window", slice)
        VALUES (keys[own], keys[own - 1], keys, path, limits, kept, share AND own > 1, win, slice);
        v.changed := true;
    END IF;
    RETURN leave(v, request, coalesce(v.reply, '{}'));
END $$;

-- The chain of an account that is to be: its ancestors, which must be open, and itself.
CREATE OR REPLACE FUNCTION enter_new(
    keys uuid[], clock bigint, windows jsonb, limits jsonb, kept jsonb, win text, slice bigint
) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    own int := cardinality(keys);
    v visit;
    n node;
BEGIN
    v := enter(keys[: own - 1], clock, windows);
    IF v.reply IS NOT NULL THEN
        RETURN v;
    ELSIF win IS NOT NULL AND slice IS NULL AND NOT knows_window(windows, keys[own], v.now) THEN
        v.reply := jsonb_build_object('roll', jsonb_build_array(jsonb_build_array(keys[own], win)), 'now', v.now);
        RETURN v;
    END IF;
    n := ROW(keys[own], limits, kept, '{}', '{}', '{}', '{}', '{}', 0, 0, 0, false, slice, 0,
             CASE WHEN win IS NOT NULL AND slice IS NULL THEN 0 END, '{}', NULL, 0, 0)::node;
    v.chain := v.chain || roll(ARRAY[n], v.now, windows);
    RETURN v;
END $$;

-- Take the limits out of the parent; again after `close`, as far as they are not used up.
CREATE OR REPLACE FUNCTION take_share(v visit, names text[]) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    n node := v.chain[cardinality(v.chain)];
    shares text[] := ARRAY(
        SELECT l FROM unnest(sorted(n.limits)) l WHERE l <> 'seconds' AND NOT n.shares ? l
        ORDER BY array_position(names, l)
    );
    need jsonb := '{}';
BEGIN
    FOR i IN 1 .. cardinality(shares) LOOP
        need := need || jsonb_build_object(shares[i], free(n, shares[i], 0));
    END LOOP;
    v := draw(v, shares, need);
    IF v.reply IS NULL AND shares <> '{}' THEN
        v.chain[cardinality(v.chain)].shares := n.shares || need;
        v.changed := true;
    END IF;
    RETURN v;
END $$;

-- What is neither spent nor reserved, were the limit ``more`` higher.
CREATE OR REPLACE FUNCTION free(n node, name text, more numeric) RETURNS numeric LANGUAGE plpgsql AS $$
BEGIN
    RETURN greatest(0, (n.limits -> name)::numeric + more - coalesce((n.held -> name)::numeric, 0));
END $$;

-- Hold ``need`` on the parent and above, or set the refusal.
CREATE OR REPLACE FUNCTION draw(v visit, names text[], need jsonb) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    own int := cardinality(v.chain);
BEGIN
    IF own > 1 THEN
        v.reply := judge(v.chain[: own - 1], names, need, NULL);
    END IF;
    IF v.reply IS NULL THEN
        v := pass_on(v, names, need);
    END IF;
    RETURN v;
END $$;

CREATE OR REPLACE FUNCTION pass_on(v visit, names text[], amounts jsonb) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    own int := cardinality(v.chain);
BEGIN
    v.chain := hold(v.chain[: own - 1], names, amounts) || v.chain[own];
    RETURN v;
END $$;

CREATE OR REPLACE FUNCTION close(keys uuid[], clock bigint, windows jsonb, request json)
RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    own int := cardinality(keys);
    v visit := enter(keys, clock, windows);
    name text;
BEGIN
    IF v.reply IS NOT NULL OR v.chain[own].shares = '{}' THEN
        RETURN coalesce(v.reply, '{}');
    END IF;
    FOREACH name IN ARRAY names_of(v.chain[own].shares) LOOP
        v := pass_on(v, ARRAY[name], jsonb_build_object(name, -free(v.chain[own], name, 0)));
    END LOOP;
    v.chain[own].shares := '{}';
    v.changed := true;
    RETURN leave(v, request, '{}');
END $$;

CREATE OR REPLACE FUNCTION freeze(keys uuid[], clock bigint, windows jsonb, request json, cold bool)
RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    own int := cardinality(keys);
    v visit := enter(keys, clock, windows);
BEGIN
    IF v.reply IS NULL AND v.chain[own].frozen <> cold THEN
        v.chain[own].frozen := cold;
        v.changed := true;
    END IF;
    RETURN leave(v, request, coalesce(v.reply, '{}'));
END $$;

CREATE OR REPLACE FUNCTION top_up(
    keys uuid[], clock bigint, windows jsonb, request json, top_up_key uuid, id json, amounts jsonb, names text[]
) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    own int := cardinality(keys);
    v visit := enter(keys, clock, windows);
BEGIN
    IF v.reply IS NOT NULL OR EXISTS (SELECT FROM top_ups t WHERE t.account = keys[own] AND t.key = top_up_key) THEN
        RETURN coalesce(v.reply, '{}');
    END IF;
    v := raise_limits(v, amounts, ARRAY(SELECT n FROM unnest(names) n WHERE v.chain[own].limits ? n));
    IF v.reply IS NULL THEN
        INSERT INTO top_ups VALUES (keys[own], top_up_key, id, amounts);
        v.changed := true;
    END IF;
    RETURN leave(v, request, coalesce(v.reply, '{}'));
END $$;

-- Raise limits that there are; a share grows at the parent's cost.
CREATE OR REPLACE FUNCTION raise_limits(v visit, amounts jsonb, names text[]) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    own int := cardinality(v.chain);
    n node := v.chain[own];
    name text;
    need jsonb := '{}';
BEGIN
    FOREACH name IN ARRAY names LOOP
        IF n.shares ? name THEN
            need := plus(need, name, free(n, name, (amounts -> name)::numeric) - free(n, name, 0));
        END IF;
        n.limits := plus(n.limits, name, (amounts -> name)::numeric);
    END LOOP;
    v := draw(v, ARRAY(SELECT o FROM unnest(names) o WHERE need ? o), need);
    v.chain[own] := n;
    RETURN v;
END $$;

CREATE OR REPLACE FUNCTION set_limits(
    keys uuid[], clock bigint, windows jsonb, request json, limits jsonb, names text[]
) RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    own int := cardinality(keys);
    v visit := enter(keys, clock, windows);
BEGIN
    IF v.reply IS NOT NULL THEN
        RETURN v.reply;
    ELSIF limits ? 'seconds' AND (limits -> 'seconds' = 'null' OR NOT v.chain[own].limits ? 'seconds') THEN
        -- Calls in flight run the clocks of the accounts that limit time: those are known from the start.
        RETURN '{"seconds": true}';
    END IF;
    v := change_limits(v, limits, names);
    IF v.reply IS NULL THEN
        v.changed := true;
    END IF;
    RETURN leave(v, request, coalesce(v.reply, '{}'));
END $$;

-- Set limits, or take them away; a share grows or shrinks at the parent's cost.
CREATE OR REPLACE FUNCTION change_limits(v visit, limits jsonb, names text[]) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    own int := cardinality(v.chain);
    n node := v.chain[own];
    name text;
    held numeric;
    change jsonb := '{}';
    gone text[] := ARRAY(SELECT e.key FROM jsonb_each(limits) e WHERE e.value = 'null');
BEGIN
    FOREACH name IN ARRAY names LOOP
        IF n.shares ? name THEN
            held := coalesce((n.held -> name)::numeric, 0);
            change := plus(change, name, greatest((limits ->> name)::numeric, held)
                                         - greatest((n.limits -> name)::numeric, held));
        END IF;
    END LOOP;
    IF own > 1 THEN
        v.reply := judge(v.chain[: own - 1], ARRAY(SELECT o FROM unnest(names) o WHERE (change -> o)::numeric > 0),
                         change, NULL);
    END IF;
    IF v.reply IS NULL THEN
        v := pass_on(v, names_of(change), change);
        v.chain[own].limits := (n.limits || limits) - gone;
        v.chain[own].shares := n.shares - gone;
    END IF;
    RETURN v;
END $$;
