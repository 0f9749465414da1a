GOBIN := $(CURDIR)/.tmp/bin
export PATH := $(GOBIN):$(PATH)

LITE := engine/v1/engine.proto sdk/v1/connector.proto
LITE_FEATURES := marshal_strict+unmarshal+size

.PHONY: generate
generate: tools ## regenerate the contracts' Go code
	protoc -I. --go-lite_out=. --go-lite_opt=paths=source_relative,features=$(LITE_FEATURES) $(LITE)

.PHONY: tools
tools:
	@mkdir -p $(GOBIN)
	@test -x $(GOBIN)/protoc-gen-go-lite || GOBIN=$(GOBIN) go install github.com/aperturerobotics/protobuf-go-lite/cmd/protoc-gen-go-lite@v0.14.0
	@test -x $(GOBIN)/protoc-gen-go || GOBIN=$(GOBIN) go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
	@test -x $(GOBIN)/protoc-gen-connect-go || GOBIN=$(GOBIN) go install connectrpc.com/connect/cmd/protoc-gen-connect-go@v1.21.1
