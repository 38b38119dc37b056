// Sends many small messages on one stream of Record, as fast as the client can, and checks that each
// is answered.
//
//	fastrecord HOST:PORT COUNT
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"pedigree/clients/lineage"
)

const runs = 100

func main() {
	log.SetFlags(0)
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	plaintext := grpc.WithTransportCredentials(insecure.NewCredentials())
	connection, err := grpc.NewClient(os.Args[1], plaintext)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	stream, err := lineage.NewLineageServiceClient(connection).Record(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	go send(stream, count)
	for number := range count {
		response, err := stream.Recv()
		if err != nil {
			log.Fatalf("%d of %d answered: %v", number, count, err)
		}
		if response.GetId() != id(number) || response.GetRefused() != nil {
			log.Fatalf("message %d: %v", number, response)
		}
	}
	fmt.Printf("%d messages answered\n", count)
}

func id(number int) string {
	return fmt.Sprint("go ", number)
}

func send(stream lineage.LineageService_RecordClient, count int) {
	for number := range count {
		event := &lineage.RunEvent{
			EventType:  lineage.RunEvent_RUNNING,
			TypePolicy: lineage.TypePolicy_CREATE,
			Type:       "go",
			Name:       fmt.Sprint(number % runs),
		}
		change := &lineage.RecordRequest_Run{Run: event}
		request := &lineage.RecordRequest{Id: id(number), Change: change}
		if stream.Send(request) != nil {
			return // Recv has the reason.
		}
	}
	_ = stream.CloseSend() // Recv has the reason.
}
