-- The schema of version 10, as ML Metadata has it: same tables, column order, keys and index names.
-- Ids, step_index and int_value are BIGINT where ML Metadata has INT. It reads and writes them all the same.
-- The collation compares texts by their bytes, as SQLite and PostgreSQL do: names that differ in
-- case, accents or trailing blanks are apart. AUTO_INCREMENT: the id of a deleted row is not given
-- again.
-- Each table comes with its keys and indexes in one statement, because MySQL commits after each.
-- Every statement does nothing where it is done already: a creation that was cut off runs again from the start.

-- For tables of later versions too. The collations of MariaDB and of MySQL have no name in common.
ALTER DATABASE CHARACTER SET utf8mb4
    /*M!100203 COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */;

-- The mark of a creation that has begun and is not done. It tells a schema that is to be completed from one that lost tables.
CREATE TABLE IF NOT EXISTS PedigreeCreation (
    id INT PRIMARY KEY
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS Type (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    version VARCHAR(255),
    type_kind TINYINT(1) NOT NULL,
    description TEXT,
    input_type TEXT,
    output_type TEXT,
    external_id VARCHAR(255) UNIQUE,
    INDEX idx_type_name (name),
    INDEX idx_type_external_id (external_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS TypeProperty (
    type_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    data_type INT,
    PRIMARY KEY (type_id, name)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS ParentType (
    type_id BIGINT NOT NULL,
    parent_type_id BIGINT NOT NULL,
    PRIMARY KEY (type_id, parent_type_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS Artifact (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    type_id BIGINT NOT NULL,
    uri TEXT,
    state INT,
    name VARCHAR(255),
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    UNIQUE KEY UniqueArtifactTypeName (type_id, name),
    INDEX idx_artifact_uri (uri(255)),
    INDEX idx_artifact_create_time_since_epoch (create_time_since_epoch),
    INDEX idx_artifact_last_update_time_since_epoch (last_update_time_since_epoch),
    INDEX idx_artifact_external_id (external_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS ArtifactProperty (
    artifact_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property TINYINT(1) NOT NULL,
    int_value BIGINT,
    double_value DOUBLE,
    string_value MEDIUMTEXT,
    byte_value MEDIUMBLOB,
    proto_value MEDIUMBLOB,
    bool_value BOOLEAN,
    PRIMARY KEY (artifact_id, name, is_custom_property),
    INDEX idx_artifact_property_int (name, is_custom_property, int_value),
    INDEX idx_artifact_property_double (name, is_custom_property, double_value),
    INDEX idx_artifact_property_string (name, is_custom_property, string_value(255))
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS Execution (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    type_id BIGINT NOT NULL,
    last_known_state INT,
    name VARCHAR(255),
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    UNIQUE KEY UniqueExecutionTypeName (type_id, name),
    INDEX idx_execution_create_time_since_epoch (create_time_since_epoch),
    INDEX idx_execution_last_update_time_since_epoch (last_update_time_since_epoch),
    INDEX idx_execution_external_id (external_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS ExecutionProperty (
    execution_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property TINYINT(1) NOT NULL,
    int_value BIGINT,
    double_value DOUBLE,
    string_value MEDIUMTEXT,
    byte_value MEDIUMBLOB,
    proto_value MEDIUMBLOB,
    bool_value BOOLEAN,
    PRIMARY KEY (execution_id, name, is_custom_property),
    INDEX idx_execution_property_int (name, is_custom_property, int_value),
    INDEX idx_execution_property_double (name, is_custom_property, double_value),
    INDEX idx_execution_property_string (name, is_custom_property, string_value(255))
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS Event (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    artifact_id BIGINT NOT NULL,
    execution_id BIGINT NOT NULL,
    type INT NOT NULL,
    milliseconds_since_epoch BIGINT,
    UNIQUE KEY UniqueEvent (artifact_id, execution_id, type),
    INDEX idx_event_execution_id (execution_id)
) ENGINE = InnoDB;

-- The steps of a path are in the order of insertion. ML Metadata's table has no primary key, which some servers demand: ours is a
-- column that ML Metadata does not see, where the server has such columns (MariaDB 10.3, MySQL 8.0.23).
CREATE TABLE IF NOT EXISTS EventPath (
    event_id BIGINT NOT NULL,
    is_index_step TINYINT(1) NOT NULL,
    step_index BIGINT,
    step_key TEXT,
    /*M!100303 pedigree_id BIGINT NOT NULL INVISIBLE AUTO_INCREMENT PRIMARY KEY, */
    /*!80023 pedigree_id BIGINT NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY, */
    INDEX idx_eventpath_event_id (event_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS MLMDEnv (
    schema_version INT PRIMARY KEY
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS Context (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    type_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    external_id VARCHAR(255) UNIQUE,
    create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
    UNIQUE (type_id, name),
    INDEX idx_context_create_time_since_epoch (create_time_since_epoch),
    INDEX idx_context_last_update_time_since_epoch (last_update_time_since_epoch),
    INDEX idx_context_external_id (external_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS ContextProperty (
    context_id BIGINT NOT NULL,
    name VARCHAR(255) NOT NULL,
    is_custom_property TINYINT(1) NOT NULL,
    int_value BIGINT,
    double_value DOUBLE,
    string_value MEDIUMTEXT,
    byte_value MEDIUMBLOB,
    proto_value MEDIUMBLOB,
    bool_value BOOLEAN,
    PRIMARY KEY (context_id, name, is_custom_property),
    INDEX idx_context_property_int (name, is_custom_property, int_value),
    INDEX idx_context_property_double (name, is_custom_property, double_value),
    INDEX idx_context_property_string (name, is_custom_property, string_value(255))
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS ParentContext (
    context_id BIGINT NOT NULL,
    parent_context_id BIGINT NOT NULL,
    PRIMARY KEY (context_id, parent_context_id),
    INDEX idx_parentcontext_parent_context_id (parent_context_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS Association (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    context_id BIGINT NOT NULL,
    execution_id BIGINT NOT NULL,
    UNIQUE (context_id, execution_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS Attribution (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    context_id BIGINT NOT NULL,
    artifact_id BIGINT NOT NULL,
    UNIQUE (context_id, artifact_id)
) ENGINE = InnoDB;

INSERT INTO MLMDEnv (schema_version)
SELECT 10 FROM (SELECT COUNT(*) AS versions FROM MLMDEnv) AS counted
WHERE versions = 0;

-- This commits the version before it.
DROP TABLE IF EXISTS PedigreeCreation;
