-- Gives the metrics of runs the experiment and the start of their runs, in a database whose index of them has neither. That index goes
-- last, so that a script that was cut off runs again.

ALTER TABLE PedigreeMetricSeries ADD COLUMN experiment_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE PedigreeMetricSeries ADD COLUMN start_time BIGINT NOT NULL DEFAULT 0;

UPDATE PedigreeMetricSeries SET experiment_id = r.experiment_id, start_time = r.start_time
FROM PedigreeRun r WHERE r.execution_id = PedigreeMetricSeries.execution_id;

DROP INDEX idx_pedigree_metric_series_rank;
