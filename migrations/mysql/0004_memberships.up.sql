CREATE TABLE IF NOT EXISTS Association (
    id INT AUTO_INCREMENT PRIMARY KEY,
    context_id INT NOT NULL,
    execution_id INT NOT NULL,
    UNIQUE (context_id, execution_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS Attribution (
    id INT AUTO_INCREMENT PRIMARY KEY,
    context_id INT NOT NULL,
    artifact_id INT NOT NULL,
    UNIQUE (context_id, artifact_id)
) ENGINE = InnoDB;

UPDATE MLMDEnv SET schema_version = 4;
