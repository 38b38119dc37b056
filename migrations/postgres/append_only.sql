-- Makes the history append-only: its rows cannot change, and only those that the retention gave up can be deleted.
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

DROP TRIGGER IF EXISTS pedigree_change_update ON PedigreeChange;
DROP TRIGGER IF EXISTS pedigree_change_delete ON PedigreeChange;
DROP TRIGGER IF EXISTS pedigree_change_truncate ON PedigreeChange;

CREATE TRIGGER pedigree_change_update BEFORE UPDATE ON PedigreeChange
FOR EACH ROW EXECUTE FUNCTION pedigree_refuse_change();

CREATE TRIGGER pedigree_change_delete BEFORE DELETE ON PedigreeChange
FOR EACH ROW EXECUTE FUNCTION pedigree_check_retention();

CREATE TRIGGER pedigree_change_truncate BEFORE TRUNCATE ON PedigreeChange
FOR EACH STATEMENT EXECUTE FUNCTION pedigree_refuse_change();
