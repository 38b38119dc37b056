package main

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"pedigree/example/stubs/lineage"
)

// A recorder sends events, and keeps each of them until the server has answered that it is stored.
type recorder struct {
	service  lineage.LineageServiceClient
	pending  []*lineage.RecordRequest // in the order in which they were sent
	recorded map[string]*lineage.RunResult
	stream   lineage.LineageService_RecordClient
	lose     context.CancelFunc
}

// connect opens a stream and sends on it what has no answer yet.
func (r *recorder) connect(ctx context.Context) (err error) {
	ctx, r.lose = context.WithCancel(ctx)
	if r.stream, err = r.service.Record(ctx); err != nil {
		return err
	}
	for _, request := range r.pending {
		if err := r.stream.Send(request); err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) send(requests ...*lineage.RecordRequest) error {
	for _, request := range requests {
		r.pending = append(r.pending, request)
		if err := r.stream.Send(request); err != nil {
			return err
		}
	}
	return nil
}

// receive waits for the next answers, which come in the order of the requests, and counts those that were given before.
func (r *recorder) receive(count int) (repeated int, err error) {
	for range count {
		answer, err := r.stream.Recv()
		if err != nil {
			return repeated, err
		}
		r.pending = r.pending[1:]
		if refused := answer.GetRefused(); refused != nil {
			return repeated, fmt.Errorf("%s: %s", answer.GetId(), refused.GetMessage())
		}
		earlier, known := r.recorded[answer.GetId()]
		if known && !proto.Equal(earlier, answer.GetRun()) {
			return repeated, fmt.Errorf("%s was stored twice", answer.GetId())
		}
		r.recorded[answer.GetId()] = answer.GetRun()
		if answer.GetRepeated() {
			repeated++
		}
	}
	return repeated, nil
}
