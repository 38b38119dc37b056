package kfp

import (
	"flag"
	"os"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"pedigree/clients/mlmd"
)

var address = flag.String("address", "", "`HOST:PORT` of the server")

// The largest message that is sent or received, in bytes.
const maxMessage = 100 << 20

// What is repeated: a lost race, and a server that is away.
const retries = `{
	"methodConfig": [{
		"name": [{"service": "ml_metadata.MetadataStoreService"}],
		"retryPolicy": {
			"maxAttempts": 10,
			"initialBackoff": "1s",
			"maxBackoff": "30s",
			"backoffMultiplier": 2,
			"retryableStatusCodes": ["ABORTED", "UNAVAILABLE"]
		}
	}]
}`

// connect connects to the server with the options of the pipelines' client.
func connect(t *testing.T) mlmd.MetadataStoreServiceClient {
	t.Helper()
	if *address == "" {
		t.Fatal("where is the server? -address HOST:PORT")
	}
	transport := insecure.NewCredentials()
	if ca := os.Getenv("CA_CERT_PATH"); ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := grpc.NewClient(*address,
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(retries),
		grpc.WithMaxCallAttempts(10),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessage),
			grpc.MaxCallSendMsgSize(maxMessage),
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return mlmd.NewMetadataStoreServiceClient(conn)
}
