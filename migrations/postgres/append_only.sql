-- Makes the history append-only: its rows and what is too large for them cannot change, and only what the retention gave up can be
-- deleted.
INSERT INTO PedigreeLock (name, counter) VALUES ('retention', 0)
ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION pedigree_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION 'the history is append-only' USING ERRCODE = 'restrict_violation';
END
$body$;

CREATE OR REPLACE FUNCTION pedigree_check_retention() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF OLD.position > COALESCE((SELECT counter FROM PedigreeLock WHERE name = 'retention'), 0) THEN
        RAISE EXCEPTION 'the history is append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$body$;

-- The parts go before their row, in the transaction in which the retention gives it up.
CREATE OR REPLACE FUNCTION pedigree_check_retention_of_parts() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM PedigreeChange
        WHERE position <= COALESCE((SELECT counter FROM PedigreeLock WHERE name = 'retention'), 0)
            AND SUBSTR(changes, 1, 2) = '\x3a10' AND SUBSTR(changes, 3, 16) = OLD.id
    ) THEN
        RAISE EXCEPTION 'the history is append-only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$body$;

DROP TRIGGER IF EXISTS pedigree_change_update ON PedigreeChange;
DROP TRIGGER IF EXISTS pedigree_change_delete ON PedigreeChange;
DROP TRIGGER IF EXISTS pedigree_change_truncate ON PedigreeChange;
DROP TRIGGER IF EXISTS pedigree_large_value_update ON PedigreeLargeValue;
DROP TRIGGER IF EXISTS pedigree_large_value_delete ON PedigreeLargeValue;
DROP TRIGGER IF EXISTS pedigree_large_value_truncate ON PedigreeLargeValue;

CREATE TRIGGER pedigree_change_update BEFORE UPDATE ON PedigreeChange
FOR EACH ROW EXECUTE FUNCTION pedigree_refuse_change();

CREATE TRIGGER pedigree_change_delete BEFORE DELETE ON PedigreeChange
FOR EACH ROW EXECUTE FUNCTION pedigree_check_retention();

CREATE TRIGGER pedigree_change_truncate BEFORE TRUNCATE ON PedigreeChange
FOR EACH STATEMENT EXECUTE FUNCTION pedigree_refuse_change();

CREATE TRIGGER pedigree_large_value_update BEFORE UPDATE ON PedigreeLargeValue
FOR EACH ROW EXECUTE FUNCTION pedigree_refuse_change();

CREATE TRIGGER pedigree_large_value_delete BEFORE DELETE ON PedigreeLargeValue
FOR EACH ROW EXECUTE FUNCTION pedigree_check_retention_of_parts();

CREATE TRIGGER pedigree_large_value_truncate BEFORE TRUNCATE ON PedigreeLargeValue
FOR EACH STATEMENT EXECUTE FUNCTION pedigree_refuse_change();
