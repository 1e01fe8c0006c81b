-- The rows of calls: how they are found, made, changed, and told.

-- The last attempt of a call, or the one that is asked for.
CREATE OR REPLACE FUNCTION find_call(owner uuid, call_key uuid, nth int) RETURNS calls LANGUAGE plpgsql AS $$
DECLARE
    found calls;
BEGIN
    SELECT * INTO found FROM calls c
    WHERE c.account = owner AND c.key = call_key
      AND c.attempt BETWEEN coalesce(nth, 1) AND coalesce(nth, c.attempt)
    ORDER BY c.attempt DESC LIMIT 1;
    RETURN found;
END $$;

CREATE OR REPLACE FUNCTION add_call(c calls) RETURNS calls LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO calls SELECT c.*;
    RETURN c;
END $$;

CREATE OR REPLACE FUNCTION change_call(c calls) RETURNS calls LANGUAGE plpgsql AS $$
BEGIN
    UPDATE calls k SET asked = c.asked, spend = c.spend, overshoot = c.overshoot, state = c.state, paused = c.paused,
        expires = c.expires, place = c.place
    WHERE k.account = c.account AND k.key = c.key AND k.attempt = c.attempt;
    RETURN c;
END $$;

-- A new call, or (nth = 0) a scope that is open.
CREATE OR REPLACE FUNCTION new_call(chain node[], call_key uuid, nth int, id json, label json, asked jsonb)
RETURNS calls LANGUAGE plpgsql AS $$
DECLARE
    c calls;
BEGIN
    c.account := chain[cardinality(chain)].key;
    c.key := call_key;
    c.attempt := nth;
    c.root := chain[1].key;
    c.id := id;
    c.label := label;
    c.asked := asked;
    c.overshoot := '{}';
    c.state := 'open';
    c.paused := false;
    c.expires := 0;
    c.born := chain[1].entries + 1;
    RETURN c;
END $$;

-- A call that these books have not seen: nothing is set aside for it; what it costs is recorded all the same.
CREATE OR REPLACE FUNCTION unreserved(chain node[], call_key uuid, nth int, id json, label json)
RETURNS calls LANGUAGE plpgsql AS $$
DECLARE
    c calls;
BEGIN
    c := new_call(chain, call_key, nth, id, label, '{"units": {}, "estimated": [], "unmeasured": []}');
    c.spend := c.asked;
    c.state := 'released';
    RETURN c;
END $$;

CREATE OR REPLACE FUNCTION call_doc(c calls) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    RETURN json_build_object(
        'id', c.id, 'attempt', greatest(c.attempt, 1), 'label', c.label, 'asked', c.asked, 'spend', c.spend,
        'overshoot', c.overshoot, 'expires', c.expires, 'state', c.state, 'paused', c.paused, 'presence', c.attempt = 0
    );
END $$;
