package wasm_test

import (
	"bytes"

	"github.com/railhead-hub/railhead/sdk/wasm"
)

// generate turns any bytes into a valid module: its functions are statements over
// four locals and a page of memory, chosen by the bytes. Function 0 is run. All
// functions take an i32 and return one, but the last returns two.
func generate(script []byte) []byte {
	const functions = 4
	g := generator{script: script}
	out := bytes.Clone(wasm.Header)
	out = wasm.AppendSection(out, wasm.SectionType, []byte{2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 1, 0x7f, 2, 0x7f, 0x7f})
	out = wasm.AppendSection(out, wasm.SectionFunction, []byte{functions, 0, 0, 0, 1})
	out = wasm.AppendSection(out, wasm.SectionTable, []byte{1, 0x70, 0, functions})
	out = wasm.AppendSection(out, wasm.SectionMemory, []byte{1, 0, 1})
	out = wasm.AppendSection(out, wasm.SectionGlobal, []byte{1, 0x7f, 1, 0x41, 3, 0x0b})
	out = wasm.AppendSection(out, wasm.SectionExport, append([]byte{1, 3}, append([]byte("run"), 0, 0)...))
	out = wasm.AppendSection(out, wasm.SectionElement, []byte{1, 0, 0x41, 0, 0x0b, functions, 0, 1, 2, 3})
	code := []byte{functions}
	for f := range functions {
		g.code, g.labels, g.function, g.budget, g.results = []byte{1, 3, 0x7f}, nil, f, 60, 1+f/3
		g.statements(0)
		for range g.results {
			g.value(0)
		}
		g.put(0x0b)
		code = append(wasm.AppendU32(code, uint32(len(g.code))), g.code...)
	}
	return wasm.AppendSection(out, wasm.SectionCode, code)
}

type generator struct {
	script   []byte
	at       int
	code     []byte
	labels   []bool // of each open block, whether it is a loop
	function int
	budget   int // of statements that the function may still have
	results  int
}

// next is the script's next byte, turned over and over.
func (g *generator) next(n int) int {
	if len(g.script) == 0 {
		return 0
	}
	b := int(g.script[g.at%len(g.script)]) + g.at/len(g.script)*37
	g.at++
	return b % 256 % n
}

func (g *generator) put(code ...byte) { g.code = append(g.code, code...) }

func (g *generator) local() byte { return byte(g.next(4)) }

// value leaves one i32.
func (g *generator) value(depth int) {
	choice := g.next(12)
	if depth > 3 {
		choice %= 3
	}
	switch choice {
	case 0, 1:
		g.put(0x20, g.local())
	case 2:
		g.put(0x41, byte(g.next(64)))
	case 3, 4:
		g.value(depth + 1)
		g.value(depth + 1)
		g.put([]byte{0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x74, 0x76, 0x46, 0x48, 0x4d}[g.next(11)])
	case 5: // division may trap
		g.value(depth + 1)
		g.value(depth + 1)
		g.put(byte(0x6d + g.next(4)))
	case 6: // a load, sometimes out of bounds
		g.value(depth + 1)
		if g.next(8) > 0 {
			g.put(0x41, 0xff, 0xff, 0x01, 0x71) // and 32767
		}
		g.put(0x28, 0, byte(g.next(16)))
	case 7:
		g.value(depth + 1)
		callee := g.function + 1
		if g.next(10) == 0 {
			callee = 0 // a recursion, which most often does not end
		}
		if callee < 3 {
			g.put(0x10, byte(callee))
		}
	case 8:
		g.value(depth + 1)
		if g.function < 3 {
			g.put(0x10, 3, byte(0x6a+g.next(2))) // of two results, one
		}
	case 9: // indirect, of a wrong type for the last function and none after it
		g.value(depth + 1)
		g.put(0x41, byte(min(g.function+1+g.next(2), 4)), 0x11, 0, 0)
	case 10:
		g.put(0x23, 0)
	case 11: // a block with a value
		g.put(0x02, 0x7f)
		g.labels = append(g.labels, true) // nobody branches to it without one
		g.value(depth + 1)
		g.labels = g.labels[:len(g.labels)-1]
		g.put(0x0b)
	}
}

func (g *generator) statements(depth int) {
	for n := 1 + g.next(4); n > 0 && g.budget > 0; n-- {
		g.budget--
		g.statement(depth)
	}
}

func (g *generator) nested(depth int, loop bool) {
	g.labels = append(g.labels, loop)
	g.statements(depth + 1)
	g.labels = g.labels[:len(g.labels)-1]
}

func (g *generator) statement(depth int) {
	choice := g.next(13)
	if depth > 5 {
		choice %= 4
	}
	switch choice {
	case 0, 1:
		g.value(0)
		g.put(0x21, g.local())
	case 2: // a store
		g.value(0)
		g.put(0x41, 0xff, 0xff, 0x01, 0x71)
		g.value(0)
		g.put(0x36, 0, 0)
	case 3:
		g.value(0)
		g.put(0x24, 0)
	case 4:
		g.put(0x02, 0x40)
		g.nested(depth, false)
		g.put(0x0b)
	case 5, 6: // a loop that counts a local down, among other things
		g.put(0x03, 0x40)
		g.nested(depth, true)
		counter := g.local()
		g.put(0x20, counter, 0x41, 1, 0x76, 0x22, counter, 0x0d, 0, 0x0b)
	case 7, 8:
		g.value(0)
		g.put(0x04, 0x40)
		g.nested(depth, false)
		if g.next(2) > 0 {
			g.put(0x05)
			g.nested(depth, false)
		}
		g.put(0x0b)
	case 9, 10: // br_if, to any block
		if d := g.target(); d >= 0 {
			g.value(0)
			g.put(0x0d, byte(d))
		}
	case 11: // br_table
		if d := g.target(); d >= 0 {
			g.put(0x02, 0x40)
			g.value(0)
			g.put(0x0e, 2, 0, byte(d+1), 0, byte(d+1), 0x0b)
		}
	case 12: // return, if
		g.value(0)
		g.put(0x04, 0x40)
		for range g.results {
			g.value(1)
		}
		g.put(0x0f, 0x0b)
	}
}

// target is the depth of an open block, -1 if there is none. Loops, which would
// seldom end, are chosen seldom.
func (g *generator) target() int {
	if len(g.labels) == 0 {
		return -1
	}
	d := g.next(len(g.labels))
	if g.labels[len(g.labels)-1-d] && g.next(8) > 0 {
		return -1
	}
	return d
}
