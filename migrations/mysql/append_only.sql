-- Makes the history append-only: its rows and what is too large for them cannot change, and only what the retention gave up can be
-- deleted.
INSERT INTO PedigreeLock (name, counter)
SELECT 'retention', 0 FROM (SELECT COUNT(*) AS locks FROM PedigreeLock WHERE name = 'retention') AS counted
WHERE locks = 0;

DROP TRIGGER IF EXISTS pedigree_change_update;
DROP TRIGGER IF EXISTS pedigree_change_delete;
DROP TRIGGER IF EXISTS pedigree_large_value_update;
DROP TRIGGER IF EXISTS pedigree_large_value_delete;

CREATE TRIGGER pedigree_change_update BEFORE UPDATE ON PedigreeChange
FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the history is append-only';

CREATE TRIGGER pedigree_change_delete BEFORE DELETE ON PedigreeChange
FOR EACH ROW
BEGIN
    IF OLD.position > COALESCE((SELECT counter FROM PedigreeLock WHERE name = 'retention'), 0) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the history is append-only';
    END IF;
END;

CREATE TRIGGER pedigree_large_value_update BEFORE UPDATE ON PedigreeLargeValue
FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the history is append-only';

-- The parts go before their row, in the transaction in which the retention gives it up.
CREATE TRIGGER pedigree_large_value_delete BEFORE DELETE ON PedigreeLargeValue
FOR EACH ROW
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM PedigreeChange
        WHERE position <= COALESCE((SELECT counter FROM PedigreeLock WHERE name = 'retention'), 0)
            AND SUBSTR(changes, 1, 2) = X'3A10' AND SUBSTR(changes, 3, 16) = OLD.id
    ) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the history is append-only';
    END IF;
END;
