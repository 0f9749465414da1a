package wasm

// frame follows how many values a function keeps on the stack of operands, from
// instruction to instruction, since those that are there during a call take room
// in the machine's stack. It trusts the code to be valid: what it makes of code
// that is not is of no interest.
type frame struct {
	outline *Outline
	values  int
	most    int
	open    []level
}

// level is where an open block found the stack, and what it leaves there.
type level struct{ base, results int }

// blockType is the type of a block.
func (o *Outline) blockType(block int64) (params, results int) {
	switch {
	case block >= 0 && uint64(block) < uint64(len(o.Types)):
		t := o.Types[block]
		return len(t.Params), len(t.Results)
	case block == emptyBlock:
		return 0, 0
	}
	return 0, 1
}

func (f *frame) push(n int) {
	f.values += n
	if len(f.open) > 0 {
		f.values = max(f.values, f.open[len(f.open)-1].base)
	}
	f.most = max(f.most, f.values)
}

func (f *frame) step(i instruction) {
	switch i.op {
	case opBlock, opLoop, opIf:
		if i.op == opIf {
			f.push(-1)
		}
		params, results := f.outline.blockType(i.block)
		f.open = append(f.open, level{max(0, f.values-params), results})
	case opElse:
		f.values = f.open[len(f.open)-1].base
	case opEnd:
		l := f.open[len(f.open)-1]
		f.open = f.open[:len(f.open)-1]
		f.values = l.base
		f.push(l.results)
	case opBr, opBrTable, opReturn, opUnreachable:
		f.values = 0
		f.push(0) // what follows cannot be reached
	case opCall:
		t, _ := f.outline.function(i.arg)
		f.push(-len(t.Params))
		f.push(len(t.Results))
	case opCallInd:
		f.push(-1)
		if uint64(i.arg) < uint64(len(f.outline.Types)) {
			t := f.outline.Types[i.arg]
			f.push(-len(t.Params))
			f.push(len(t.Results))
		}
	case opMisc:
		f.push(miscHeight(i.sub))
	case opVector:
		f.push(vectorHeight(i.sub))
	default:
		f.push(height(i.op))
	}
}

// height is how many values more or less an instruction leaves than it found.
func height(op byte) int {
	switch {
	case op == opLocalGet, op == opGlobalGet, op == opMemorySize, op >= opI32Const && op <= opF64Const,
		op == opRefNull, op == opRefFunc:
		return 1
	case op == opBrIf, op == opDrop, op == opLocalSet, op == opGlobalSet:
		return -1
	case op == opSelect, op == opSelectT, op == opTableSet, op >= opStoreFirst && op <= opStoreLast:
		return -2
	case op == opI32Eqz, op == opI64Eqz:
		return 0
	case op > opI32Eqz && op <= opCompareLast, // comparisons
		op >= 0x6a && op <= 0x78, op >= 0x7c && op <= 0x8a, // of i32 and i64
		op >= 0x92 && op <= 0x98, op >= 0xa0 && op <= 0xa6: // of f32 and f64
		return -1
	}
	return 0
}

func miscHeight(sub uint32) int {
	switch sub {
	case miscMemoryInit, miscMemoryCopy, miscMemoryFill, miscTableInit, miscTableCopy, miscTableFill:
		return -3
	case miscTableSize:
		return 1
	}
	return 0
}

// vectorHeight is never too small.
func vectorHeight(sub uint32) int {
	const store = 11
	switch sub {
	case vectorConst:
		return 1
	case store:
		return -2
	}
	return 0
}
