-- Makes ids, step_index and int_value of an existing database as wide as in schema.sql. ML Metadata reads and writes it all the same.
-- A table that has them already is left alone, so that this can be run again after it was interrupted.
ALTER TABLE Type
    MODIFY COLUMN id BIGINT NOT NULL AUTO_INCREMENT;

ALTER TABLE TypeProperty
    MODIFY COLUMN type_id BIGINT NOT NULL;

ALTER TABLE ParentType
    MODIFY COLUMN type_id BIGINT NOT NULL,
    MODIFY COLUMN parent_type_id BIGINT NOT NULL;

ALTER TABLE Artifact
    MODIFY COLUMN id BIGINT NOT NULL AUTO_INCREMENT,
    MODIFY COLUMN type_id BIGINT NOT NULL;

ALTER TABLE ArtifactProperty
    MODIFY COLUMN artifact_id BIGINT NOT NULL,
    MODIFY COLUMN int_value BIGINT;

ALTER TABLE Execution
    MODIFY COLUMN id BIGINT NOT NULL AUTO_INCREMENT,
    MODIFY COLUMN type_id BIGINT NOT NULL;

ALTER TABLE ExecutionProperty
    MODIFY COLUMN execution_id BIGINT NOT NULL,
    MODIFY COLUMN int_value BIGINT;

ALTER TABLE Event
    MODIFY COLUMN id BIGINT NOT NULL AUTO_INCREMENT,
    MODIFY COLUMN artifact_id BIGINT NOT NULL,
    MODIFY COLUMN execution_id BIGINT NOT NULL;

-- With the primary key that schema.sql gives it, on MariaDB.
ALTER TABLE EventPath
    MODIFY COLUMN event_id BIGINT NOT NULL,
    MODIFY COLUMN step_index BIGINT
    /*M!100303 , ADD COLUMN IF NOT EXISTS pedigree_id BIGINT NOT NULL INVISIBLE AUTO_INCREMENT PRIMARY KEY */;

ALTER TABLE Context
    MODIFY COLUMN id BIGINT NOT NULL AUTO_INCREMENT,
    MODIFY COLUMN type_id BIGINT NOT NULL;

ALTER TABLE ContextProperty
    MODIFY COLUMN context_id BIGINT NOT NULL,
    MODIFY COLUMN int_value BIGINT;

ALTER TABLE ParentContext
    MODIFY COLUMN context_id BIGINT NOT NULL,
    MODIFY COLUMN parent_context_id BIGINT NOT NULL;

ALTER TABLE Association
    MODIFY COLUMN id BIGINT NOT NULL AUTO_INCREMENT,
    MODIFY COLUMN context_id BIGINT NOT NULL,
    MODIFY COLUMN execution_id BIGINT NOT NULL;

ALTER TABLE Attribution
    MODIFY COLUMN id BIGINT NOT NULL AUTO_INCREMENT,
    MODIFY COLUMN context_id BIGINT NOT NULL,
    MODIFY COLUMN artifact_id BIGINT NOT NULL;
