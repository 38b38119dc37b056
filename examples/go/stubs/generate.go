// Package stubs says how the packages below it are generated from proto/.
package stubs

//go:generate env GOBIN=$PWD/../bin go install tool
//go:generate python -m grpc_tools.protoc @protoc.args
