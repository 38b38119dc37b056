package kfp

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"pedigree/clients/mlmd"
)

// TestCollectedRun is a run of ../../../data/kfp/pipeline.py: a nested pipeline that trains a model, a loop that evaluates it, and a
// last step. Its id is that of ../../../data/kfp/run.json.
func TestCollectedRun(t *testing.T) {
	run := &pipelineRun{store: connect(t), name: "2f1c6a0e-6c1d-4a52-9f52-4d0b3a7c1e11"}
	run.open(t)
	run.openRoot(t)
	dataset := run.importDataset(t)

	fit := run.putExecution(t, run.task(t, "system.DAGExecution", "fit", run.root))
	training := run.pod(t, "train", fit, map[string]any{"epochs": 3})
	model := run.launch(t, training, "images", dataset, "model", "system.Model")

	loop := run.task(t, "system.DAGExecution", "for-loop-2", run.root)
	loop.CustomProperties["iteration_count"] = integer(2)
	head := run.putExecution(t, loop)
	for i := range 2 {
		iteration := run.task(t, "system.DAGExecution", "for-loop-2", head)
		iteration.Name = proto.String(fmt.Sprintf("run/%s/for-loop-2/%d", run.name, i))
		iteration.CustomProperties["iteration_index"] = integer(int64(i))
		evaluation := run.pod(t, "evaluate", run.putExecution(t, iteration), map[string]any{"shard": i})
		run.launch(t, evaluation, "model", model, "report", "system.Dataset")
	}

	publication := run.pod(t, "publish", run.root, map[string]any{})
	publication.CustomProperties["task_name"] = text("")
	publication.CustomProperties["display_name"] = text("unknown")
	run.launch(t, publication, "model", model, "receipt", "system.Dataset")

	cached := run.task(t, "system.ContainerExecution", "train", fit)
	cached.Name = nil
	cached.LastKnownState = mlmd.Execution_CACHED.Enum()
	cached.CustomProperties["cached_execution_id"] = text("1")
	run.putExecution(t, cached)
}

// task is what drivers say about the execution of a task.
func (r *pipelineRun) task(t *testing.T, kind, name string, parent int64) *mlmd.Execution {
	return &mlmd.Execution{
		TypeId:         r.executionType(t, kind),
		Name:           proto.String("run/" + r.name + "/" + name),
		LastKnownState: mlmd.Execution_RUNNING.Enum(),
		CustomProperties: map[string]*mlmd.Value{
			"display_name":  text(name),
			"task_name":     text(name),
			"parent_dag_id": integer(parent),
		},
	}
}

// pod is the execution of a step, to which its launcher adds its pod. Its driver gives it no name.
func (r *pipelineRun) pod(t *testing.T, name string, parent int64, inputs map[string]any) *mlmd.Execution {
	execution := r.task(t, "system.ContainerExecution", name, parent)
	execution.Name = nil
	for key, value := range map[string]string{
		"pod_name":  fmt.Sprintf("training-%s-%d", name, parent),
		"pod_uid":   "uid-of-" + name,
		"namespace": "kubeflow",
	} {
		execution.CustomProperties[key] = text(value)
	}
	execution.CustomProperties["inputs"] = structure(t, inputs)
	return execution
}

// launch is a driver and then a launcher: the step reads an artifact and writes another one, whose id is returned.
func (r *pipelineRun) launch(t *testing.T, execution *mlmd.Execution, input string, read int64, output, kind string) int64 {
	reads := &mlmd.PutExecutionRequest_ArtifactAndEvent{Event: event(mlmd.Event_INPUT, input, &read)}
	id := r.putExecution(t, execution, reads)
	done := r.read(t, id)
	done.LastKnownState = mlmd.Execution_COMPLETE.Enum()
	put, err := r.store.PutExecution(t.Context(), &mlmd.PutExecutionRequest{
		Execution: done,
		ArtifactEventPairs: []*mlmd.PutExecutionRequest_ArtifactAndEvent{{
			Artifact: &mlmd.Artifact{
				TypeId:           r.artifactType(t, kind),
				Uri:              proto.String(fmt.Sprintf("minio://mlpipeline/%s/%d/%s", r.name, id, output)),
				State:            mlmd.Artifact_LIVE.Enum(),
				CustomProperties: map[string]*mlmd.Value{"display_name": text(output)},
			},
			Event: event(mlmd.Event_OUTPUT, output, nil),
		}},
		Contexts: r.contexts,
	})
	return ok(t, put, err).ArtifactIds[0]
}
