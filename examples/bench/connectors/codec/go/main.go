//go:build wasip1

// Command go is the work of go/handler without the SDK: its own few lines of
// protobuf, and nothing of what an SDK does for an author. What it costs is what
// the language and the sandbox cost.
package main

import "unsafe"

func main() {}

var (
	input  [64 << 10]byte
	output [64 << 10]byte
	kept   []byte
)

//go:wasmexport railhead_abi_v1
func marker() {}

//go:wasmexport railhead_buf
func buf(n int32) unsafe.Pointer {
	if int(n) <= len(input) {
		return unsafe.Pointer(&input)
	}
	kept = make([]byte, n)
	return unsafe.Pointer(&kept[0])
}

//go:wasmexport railhead_step
func step(ptr unsafe.Pointer, length int32) int64 {
	reply := work(output[:0], unsafe.Slice((*byte)(ptr), length))
	return int64(uint64(uintptr(unsafe.Pointer(&reply[0])))<<32 | uint64(len(reply)))
}

// Numbers of fields: see sdk/v1/connector.proto.
const (
	requestTrigger = 2
	triggerJob     = 3
	jobVariables   = 5
)

const (
	accepted = `true`
	note     = `"The payment is in shillings, which this connector takes. It asks nobody, and says so in a sentence of length."`
)

// work reads the variables, looks at the currency and writes the reply.
func work(out, request []byte) []byte {
	variables := field(field(request, requestTrigger), triggerJob)
	var currency, transfer []byte
	for len(variables) > 0 {
		number, value, rest := next(variables)
		variables = rest
		if number != jobVariables {
			continue
		}
		switch json := field(value, 2); string(field(value, 1)) {
		case "currency":
			currency = json
		case "transfer":
			transfer = json
		}
	}
	if string(currency) != `"TZS"` {
		panic("only shillings are taken")
	}
	size := variableSize("accepted", len(accepted)) + variableSize("note", len(note)) + variableSize("transfer", len(transfer))
	out = tagged(out, replyOutcome, lengthSize(size)+1+size)
	out = tagged(out, outcomeComplete, size)
	out = variable(out, "accepted", accepted)
	out = variable(out, "note", note)
	return variable(out, "transfer", string(transfer))
}

const (
	replyOutcome    = 2
	outcomeComplete = 1
)

// next reads a field. Numbers come back without a value.
func next(data []byte) (number uint64, value, rest []byte) {
	tag, data := varint(data)
	n, data := varint(data)
	if tag&7 != 2 {
		return tag >> 3, nil, data
	}
	return tag >> 3, data[:n], data[n:]
}

// field is the last field of that number.
func field(data []byte, want uint64) (found []byte) {
	for len(data) > 0 {
		number, value, rest := next(data)
		if number == want {
			found = value
		}
		data = rest
	}
	return found
}

func varint(data []byte) (n uint64, rest []byte) {
	for i, b := range data {
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return n, data[i+1:]
		}
	}
	panic("a number has no end")
}

func lengthSize(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

func tagged(out []byte, number byte, length int) []byte {
	out = append(out, number<<3|2)
	for ; length >= 0x80; length >>= 7 {
		out = append(out, byte(length)|0x80)
	}
	return append(out, byte(length))
}

// inner is the size of a variable's content; variableSize that with its head.
func inner(name string, json int) int {
	return 1 + lengthSize(len(name)) + len(name) + 1 + lengthSize(json) + json
}

func variableSize(name string, json int) int {
	size := inner(name, json)
	return 1 + lengthSize(size) + size
}

func variable(out []byte, name, json string) []byte {
	out = tagged(out, 1, inner(name, len(json)))
	out = append(tagged(out, 1, len(name)), name...)
	return append(tagged(out, 2, len(json)), json...)
}
