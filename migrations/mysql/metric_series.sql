-- Gives the metrics of runs the experiment and the start of their runs, in a database whose index of them has neither. That index goes
-- last, so that a script that was cut off runs again.

ALTER TABLE PedigreeMetricSeries ADD COLUMN /*M! IF NOT EXISTS */ experiment_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE PedigreeMetricSeries ADD COLUMN /*M! IF NOT EXISTS */ start_time BIGINT NOT NULL DEFAULT 0;

UPDATE PedigreeMetricSeries s JOIN PedigreeRun r ON r.execution_id = s.execution_id
SET s.experiment_id = r.experiment_id, s.start_time = r.start_time;

ALTER TABLE PedigreeMetricSeries ADD INDEX /*M! IF NOT EXISTS */ idx_pedigree_metric_series_value
    (experiment_id, metric_key, value_rank, start_time, execution_id);
ALTER TABLE PedigreeMetricSeries ADD INDEX /*M! IF NOT EXISTS */ idx_pedigree_metric_series_start
    (experiment_id, metric_key, start_time, value_rank, execution_id);
ALTER TABLE PedigreeMetricSeries DROP INDEX idx_pedigree_metric_series_rank;
