-- Reading. What is due lapses first, so that what is read is true; if nothing is due, nothing is locked.

CREATE OR REPLACE FUNCTION look(keys uuid[], clock bigint, windows jsonb) RETURNS visit LANGUAGE plpgsql AS $$
DECLARE
    v visit;
BEGIN
    v.now := coalesce(clock, extract(epoch FROM clock_timestamp()) * 1000000);
    v.chain := load(keys);
    IF cardinality(v.chain) = cardinality(keys) AND coalesce(v.chain[1].soonest > v.now, true)
       AND NOT rolls(v.chain, v.now) THEN
        RETURN v;
    END IF;
    RETURN enter(keys, clock, windows);
END $$;

CREATE OR REPLACE FUNCTION states(keys uuid[], clock bigint, windows jsonb)
RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v visit := look(keys, clock, windows);
BEGIN
    RETURN coalesce(v.reply, (
        SELECT json_build_object('now', v.now, 'accounts', json_agg(
            to_jsonb(n) || jsonb_build_object('window', a."window", 'prepaid', a.prepaid)
            ORDER BY cardinality(a.lineage)
        ))
        FROM unnest(v.chain) n JOIN accounts a ON a.key = n.key
    ));
END $$;

-- The account and all below it.
CREATE OR REPLACE FUNCTION below(top uuid) RETURNS TABLE (key uuid, path json) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE tree AS (
        SELECT a.key, a.path FROM accounts a WHERE a.key = top
        UNION ALL
        SELECT a.key, a.path FROM tree t JOIN accounts a ON a.parent = t.key
    )
    SELECT * FROM tree;
$$;

CREATE OR REPLACE FUNCTION charges(keys uuid[], clock bigint, windows jsonb)
RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v visit := look(keys, clock, windows);
BEGIN
    RETURN coalesce(v.reply, (
        SELECT json_build_object('calls', coalesce(json_agg(
            json_build_object('path', b.path, 'call', call_doc(c)) ORDER BY c.place
        ), '[]'))
        FROM below(keys[cardinality(keys)]) b JOIN calls c ON c.account = b.key WHERE c.place IS NOT NULL
    ));
END $$;

CREATE OR REPLACE FUNCTION children(keys uuid[])
RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    owner uuid := keys[cardinality(keys)];
BEGIN
    IF owner IS NOT NULL AND NOT EXISTS (SELECT FROM accounts a WHERE a.key = owner) THEN
        RETURN '{"missing": true}';
    END IF;
    RETURN (
        SELECT json_build_object('children', coalesce(json_agg(a.path), '[]'))
        FROM accounts a WHERE CASE WHEN owner IS NULL THEN a.parent IS NULL ELSE a.parent = owner END
    );
END $$;

-- Lapse what is due, before a dump, and tell the time.
CREATE OR REPLACE FUNCTION refresh(keys uuid[], clock bigint, windows jsonb)
RETURNS json LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    v visit := look(keys, clock, windows);
BEGIN
    RETURN coalesce(v.reply, json_build_object('now', v.now));
END $$;

-- Everything of one tree at one moment, in rows: there may be more than fits into one value.
CREATE OR REPLACE FUNCTION dump(top uuid)
RETURNS TABLE (kind text, doc json) LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT 'accounts', to_json(a)
    FROM below(top) b JOIN accounts a ON a.key = b.key
    UNION ALL
    (SELECT 'calls', json_build_object('path', b.path, 'call', call_doc(c))
     FROM below(top) b JOIN calls c ON c.account = b.key WHERE c.attempt > 0 ORDER BY c.born)
    UNION ALL
    (SELECT 'journal', json_build_object('seq', j.entry, 'at', j.at, 'request', j.request)
     FROM journal j WHERE j.root = top ORDER BY j.entry);
$$;
