package api

import "google.golang.org/protobuf/encoding/protowire"

// The messages of sdk.v1 that the tests need, written by hand: opsd does not
// import the connectors' contract.

func field(n protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), value)
}

func text(n protowire.Number, s string) []byte { return field(n, []byte(s)) }

func number(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

func join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func header(n protowire.Number, name, value string) []byte {
	return field(n, join(text(1, name), text(2, value)))
}
