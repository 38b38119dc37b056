// Records the training of a toy model, loses its connection on purpose, resumes, and prints where the result came from.
//
//	go run . 127.0.0.1:8080 [SUFFIX]
package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"pedigree/example/stubs/lineage"
)

func main() {
	if len(os.Args) != 2 && len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run . HOST:PORT [SUFFIX]")
		os.Exit(2)
	}
	suffix := ""
	if len(os.Args) == 3 {
		suffix = os.Args[2]
	}
	if err := train(context.Background(), os.Args[1], suffix); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func train(ctx context.Context, address, suffix string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	service := lineage.NewLineageServiceClient(conn)
	r := &recorder{service: service, recorded: map[string]*lineage.RunResult{}}
	events := toyPipeline(suffix)

	if err := r.connect(ctx); err != nil {
		return err
	}
	if err := r.send(events[:4]...); err != nil {
		return err
	}
	if _, err := r.receive(1); err != nil {
		return err
	}
	r.lose()
	fmt.Printf("sent 4 events, lost the connection with %d unanswered\n", len(r.pending))

	if err := r.connect(ctx); err != nil {
		return err
	}
	defer r.lose()
	if err := r.send(events[4:]...); err != nil {
		return err
	}
	if _, err := r.receive(len(r.pending)); err != nil {
		return err
	}
	fmt.Printf("connected again, sent those and 2 more: %d stored\n", len(r.recorded))

	if err := r.send(events...); err != nil {
		return err
	}
	repeated, err := r.receive(len(events))
	if err != nil {
		return err
	}
	fmt.Printf("sent all 6 again: %d were known already, none is stored twice\n", repeated)

	metrics, err := provenance(ctx, service, r.recorded[events[5].GetId()].OutputIds[0], suffix)
	if err != nil {
		return err
	}
	fmt.Println("where the metrics of the model came from:")
	metrics.draw("")
	return nil
}
