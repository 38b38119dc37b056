// Package kfp makes the calls that the driver and the launcher of Kubeflow Pipelines make for one run of a pipeline, and checks that
// every answer is what they rely on.
//
//	go test -count=1 ./kfp -run TestPipelineRun -address 127.0.0.1:8080
package kfp

import (
	"testing"

	"pedigree/clients/mlmd"
)

// The names that the run has in the store, where ../../node/kfp.js looks for them.
const (
	pipelineName = "training"
	runName      = "4f1c9a52"
	datasetURI   = "minio://mlpipeline/images"
	modelURI     = "minio://mlpipeline/training/4f1c9a52/model"
)

// A pipelineRun is what the driver and the launcher know of one run.
type pipelineRun struct {
	store mlmd.MetadataStoreServiceClient
	name  string
	// The pipeline and the run, as the store returns them.
	contexts []*mlmd.Context
	// The execution that stands for the whole run, and the one that stands for a loop in it.
	root, loop int64
	// The number of executions written.
	executions int
}

func TestPipelineRun(t *testing.T) {
	run := &pipelineRun{store: connect(t), name: runName}
	nothingIsThere(t, run.store)
	run.open(t)
	run.openRoot(t)
	run.openRootAgain(t)
	run.openLoop(t)
	run.listLoop(t)
	dataset := run.importDataset(t)
	training := run.startTraining(t, dataset)
	model := run.publish(t, training)
	run.publishAgain(t, training)
	run.readBack(t, training, dataset, model)
}
