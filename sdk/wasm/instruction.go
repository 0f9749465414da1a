package wasm

// Opcodes that the meter looks at. Names are those of the core specification.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallInd      = 0x11
	opDrop         = 0x1a
	opSelect       = 0x1b
	opSelectT      = 0x1c
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opTableGet     = 0x25
	opTableSet     = 0x26
	opLoadFirst    = 0x28
	opStoreFirst   = 0x36
	opStoreLast    = 0x3e
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opNumericFirst = 0x45
	opI32Eqz       = 0x45
	opI32LtS       = 0x48
	opI64Eqz       = 0x50
	opI64LtS       = 0x53
	opCompareLast  = 0x66
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32DivS      = 0x6d
	opI32RemU      = 0x70
	opI64DivS      = 0x7f
	opI64RemU      = 0x82
	opF32Sqrt      = 0x91
	opF32Div       = 0x95
	opF64Sqrt      = 0x9f
	opF64Div       = 0xa3
	opI64Sub       = 0x7d
	opI64ShrU      = 0x88
	opI64Shl       = 0x86
	opI64ExtendU   = 0xad
	opNumericLast  = 0xc4
	opRefNull      = 0xd0
	opRefIsNull    = 0xd1
	opRefFunc      = 0xd2
	opMisc         = 0xfc
	opVector       = 0xfd

	vectorConst = 12 // after opVector

	emptyBlock = -64 // the type of a block without results

	// After opMisc.
	miscMemoryInit = 8
	miscDataDrop   = 9
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscElemDrop   = 13
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17
)

// instruction is one instruction, as far as the meter cares.
type instruction struct {
	op  byte
	sub uint32 // after opMisc and opVector
	// arg is the index of what is got, set, called or referred to, the depth of br
	// and br_if, the index of call_indirect's type.
	arg uint32
	// block is the type of a block, loop or if: an index, or a negative number.
	block int64
	// targets are the depths of br_table, valid until the next instruction.
	targets []uint32
}

// instruction reads the next instruction with all its immediates. What is not in
// the WebAssembly 2.0 core, tail calls, exceptions and threads among it, fails.
func (r *reader) instruction() instruction {
	i := instruction{op: r.byte()}
	switch op := i.op; {
	case op == opBlock, op == opLoop, op == opIf:
		i.block = r.signed(33)
	case op == opBr, op == opBrIf, op == opGlobalGet, op == opGlobalSet, op == opCall, op == opRefFunc,
		op >= opLocalGet && op <= opLocalTee:
		i.arg = r.u32()
	case op == opTableGet, op == opTableSet:
		r.u32()
	case op == opBrTable:
		n := r.count()
		if n > BranchTableMax {
			r.fault(TooComplex, "a br_table has %d branches, more than %d", n, BranchTableMax)
		}
		r.targets = r.targets[:0]
		for range n + 1 {
			r.targets = append(r.targets, r.u32())
			if r.err != nil {
				break
			}
		}
		i.targets = r.targets
	case op == opCallInd:
		i.arg = r.u32()
		r.u32()
	case op == opSelectT:
		r.bytes(r.u32())
	case op >= opLoadFirst && op <= opStoreLast:
		r.u32()
		r.u32()
	case op == opMemorySize, op == opMemoryGrow, op == opRefNull:
		r.byte()
	case op == opI32Const:
		r.signed(32)
	case op == opI64Const:
		r.signed(64)
	case op == opF32Const:
		r.bytes(4)
	case op == opF64Const:
		r.bytes(8)
	case op <= 0x01, op == opElse, op == opEnd, op == opReturn, op == opDrop, op == opSelect, op == opRefIsNull,
		op > opF64Const && op <= opNumericLast:
	case op == opMisc:
		i.sub = r.u32()
		r.misc(i.sub)
	case op == opVector:
		i.sub = r.u32()
		r.vector(i.sub)
	default:
		r.fault(Feature, "opcode %#x%s is not in the WebAssembly 2.0 core", op, proposal(op))
	}
	return i
}

func (r *reader) misc(sub uint32) {
	switch {
	case sub < miscMemoryInit:
	case sub == miscMemoryInit:
		r.u32()
		r.byte()
	case sub == miscMemoryCopy:
		r.byte()
		r.byte()
	case sub == miscMemoryFill:
		r.byte()
	case sub == miscTableInit, sub == miscTableCopy:
		r.u32()
		r.u32()
	case sub == miscDataDrop, sub == miscElemDrop, sub == miscTableGrow, sub == miscTableSize, sub == miscTableFill:
		r.u32()
	default:
		r.fault(Feature, "opcode 0xfc %d is not in the WebAssembly 2.0 core", sub)
	}
}

func (r *reader) vector(sub uint32) {
	const (
		store       = 11 // the loads come before it
		constant    = vectorConst
		shuffle     = 13
		laneFirst   = 21
		laneLast    = 34
		memoryLanes = 84
		loadZero    = 92
		loadZero64  = 93
		last        = 255
	)
	switch {
	case sub <= store, sub == loadZero, sub == loadZero64:
		r.u32()
		r.u32()
	case sub == constant, sub == shuffle:
		r.bytes(16)
	case sub >= laneFirst && sub <= laneLast:
		r.byte()
	case sub >= memoryLanes && sub < loadZero:
		r.u32()
		r.u32()
		r.byte()
	case sub <= last:
	default:
		r.fault(Feature, "opcode 0xfd %d (relaxed SIMD) is not in the WebAssembly 2.0 core", sub)
	}
}

// proposal names what an opcode outside the core belongs to, if that is known.
func proposal(op byte) string {
	switch {
	case op == 0x12 || op == 0x13:
		return " (tail calls)"
	case op >= 0x06 && op <= 0x0a || op == 0x18 || op == 0x19 || op == 0x1f:
		return " (exceptions)"
	case op == 0x14 || op == 0x15 || op >= 0xd3 && op <= 0xd6:
		return " (typed references)"
	case op == 0xfb:
		return " (garbage collection)"
	case op == 0xfe:
		return " (threads)"
	}
	return ""
}

// signed reads a signed LEB128 number of at most that many bits. Whether unused
// bits repeat the sign is for the compiler's validation, which sees the same
// bytes.
func (r *reader) signed(bits int) int64 {
	n := int64(0)
	for shift := 0; shift < bits; shift += 7 {
		b := r.byte()
		n |= int64(b&0x7f) << shift
		if b < 0x80 {
			if b&0x40 != 0 && shift+7 < 64 {
				n |= -1 << (shift + 7)
			}
			return n
		}
	}
	r.failf("a number is too long")
	return 0
}
