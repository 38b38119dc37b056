package kfp

import (
	"strconv"
	"testing"

	"pedigree/clients/mlmd"
)

// TestCachedStep is a run whose training step takes the outputs of the training step of an earlier run.
func TestCachedStep(t *testing.T) {
	first := &pipelineRun{store: connect(t), name: "first"}
	first.open(t)
	first.openRoot(t)
	dataset := first.importDataset(t)
	training := first.startTraining(t, dataset)
	model := first.publish(t, training)

	second := &pipelineRun{store: first.store, name: "second"}
	second.openBelow(t, first.contexts[0])
	second.openRoot(t)
	second.reuse(t, training, dataset, model)
}

// reuse is a driver that finds the step in its cache: its execution runs, and is published with the outputs of the other one. No launcher
// comes.
func (r *pipelineRun) reuse(t *testing.T, training, dataset, model int64) {
	execution := r.trainExecution(t)
	execution.CustomProperties["cached_execution_id"] = text(strconv.FormatInt(training, 10))
	execution.CustomProperties["cache_fingerprint"] = text("0f5c9a3e")
	input := &mlmd.PutExecutionRequest_ArtifactAndEvent{Event: event(mlmd.Event_INPUT, "images", &dataset)}
	cached := r.read(t, r.putExecution(t, execution, input))
	cached.LastKnownState = mlmd.Execution_CACHED.Enum()
	cached.CustomProperties["outputs"] = structure(t, map[string]any{"accuracy": 0.9375})
	r.putExecution(t, cached, &mlmd.PutExecutionRequest_ArtifactAndEvent{Event: event(mlmd.Event_OUTPUT, "model", &model)})
}
