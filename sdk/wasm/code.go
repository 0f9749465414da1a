package wasm

func (m *meter) code(content []byte) ([]byte, error) {
	r := reader{data: content}
	n := r.count()
	if r.err == nil && n != len(m.outline.Funcs) {
		return nil, malformed("%d functions have %d bodies", len(m.outline.Funcs), n)
	}
	out := AppendU32(make([]byte, 0, len(content)*2), uint32(n))
	s := scan{outline: m.outline, global: m.global}
	var body []byte
	for f := range n {
		original := r.bytes(r.u32())
		if r.err != nil {
			return nil, r.err
		}
		if len(original) > FunctionMaxSize {
			return nil, faulty(TooLarge, "function %d has %d bytes of code, more than %d", f, len(original), FunctionMaxSize)
		}
		var err error
		if body, err = m.function(body[:0], &s, original, m.outline.Funcs[f]); err != nil {
			return nil, err
		}
		out = append(AppendU32(out, uint32(len(body))), body...)
	}
	if r.at != len(r.data) {
		return nil, malformed("the code section has bytes left over")
	}
	return out, r.err
}

// point is where the code is changed: before the byte at that offset of the body.
type point struct {
	at   int
	bulk *bulk // fuel for a bulk operation; nil: one unit
	// leave is set where a return becomes a branch out of so many blocks.
	leave int
}

// bulk is what a unit of a bulk operation's length costs: length << left, or
// length >> right.
type bulk struct{ left, right byte }

var (
	perByte    = &bulk{right: 6}
	perElement = &bulk{right: 3}
	perPage    = &bulk{left: 10}
)

// stretchBytes is how much code may run for one unit of fuel, give or take one
// instruction.
const stretchBytes = 256

// frameCost is what each running function takes from the depth besides its
// values: what a compiler saves around a call, and what it keeps for itself.
const frameCost = 8

// function appends the metered body to dst. It reads the body twice: first to
// find what to change where, then to copy it.
func (m *meter) function(dst []byte, s *scan, body []byte, t FuncType) ([]byte, error) {
	r := &reader{data: body, targets: s.targets}
	groups := r.count()
	afterCount := r.at
	locals := uint64(len(t.Params))
	for range groups {
		locals += uint64(r.u32())
		r.byte()
	}
	if locals > LocalsMax {
		return nil, faulty(TooComplex, "a function has %d locals, more than %d", locals, LocalsMax)
	}
	if m.locals += locals; m.locals > LocalsSumMax {
		return nil, faulty(TooComplex, "the functions have more than %d locals together", LocalsSumMax)
	}
	begin := r.at
	err := s.body(r, locals, len(t.Results))
	s.targets = r.targets
	if err != nil {
		return nil, err
	}
	if s.frame.most > OperandsMax {
		return nil, faulty(TooComplex, "a function has more than %d operands at once", OperandsMax)
	}
	effort := s.effort(len(body), locals)
	if effort > EffortMax {
		return nil, faulty(TooComplex, "a function of %d bytes with %d blocks, %d loops, %d locals and br_tables of %d branches is too much for the compiler",
			len(body), s.blocks, s.loops, locals, s.branches)
	}
	if m.effort += effort; m.effort > EffortSumMax {
		return nil, faulty(TooComplex, "the functions are too large or too intricate together for the compiler")
	}
	if m.branches += s.branches; m.branches > BranchesMax {
		return nil, faulty(TooComplex, "the br_tables have more than %d branches together", BranchesMax)
	}

	dst = AppendU32(dst, uint32(groups)+2)
	dst = append(dst, body[afterCount:begin]...)
	dst = append(dst, 1, byte(I64), 1, byte(I32))
	left, length := uint32(locals), uint32(locals)+1
	// A function that calls none is as deep as its caller, who has counted the
	// room for one.
	weight := int64(0)
	if s.calls {
		weight = frameCost + int64(locals) + int64(s.frame.most)
		dst = m.enter(dst, weight, length)
		dst = m.resultBlock(append(dst, opBlock), t.Results)
	}
	from := begin
	for _, p := range s.points {
		dst = append(dst, body[from:p.at]...)
		from = p.at
		switch {
		case p.leave > 0 && s.calls:
			dst = AppendU32(append(dst, opBr), uint32(p.leave-1))
			from++ // instead of the return
		case p.leave > 0:
		case p.bulk != nil:
			dst = m.takeBulk(dst, p.bulk, left, length)
		default:
			dst = m.take(dst, left)
		}
	}
	dst = append(dst, body[from:]...)
	if s.calls {
		dst = append(m.change(dst, weight, opI32Add), opGlobalSet)
		dst = append(AppendU32(dst, m.global+1), opEnd)
	}
	return dst, nil
}

// label is an open block. stretch is the longest code that can have run since
// fuel was last taken, on any path that leaves through this label; entry is that
// at the start of an if, where its else begins.
type label struct {
	op             byte
	stretch, entry int
}

// scan finds where a body has to be changed.
type scan struct {
	outline *Outline
	global  uint32 // index of the first global that is the meter's

	points  []point
	open    []label
	frame   frame
	calls   bool // it calls other functions
	targets []uint32
	// What makes work for a compiler.
	blocks, loops, branches uint64
}

// body follows the longest stretch of code without fuel taken along every path,
// which is easy since code is structured: jumps go forward to the end of an open
// block, or back to the head of a loop, where fuel is taken anyway.
func (s *scan) body(r *reader, locals uint64, results int) error {
	s.points = append(s.points[:0], point{at: r.at})
	s.open = append(s.open[:0], label{op: opBlock})
	s.frame = frame{outline: s.outline, open: append(s.frame.open[:0], level{0, results})}
	s.blocks, s.loops, s.branches, s.calls = 0, 0, 0, false
	stretch := 0
	// entered is set until the body comes to a place that it may leave another way
	// than to what follows.
	entered := true
	branch := func(depth uint32) {
		if uint64(depth) >= uint64(len(s.open)) {
			r.failf("a branch leaves more blocks than there are")
			return
		}
		l := &s.open[len(s.open)-1-int(depth)]
		l.stretch = max(l.stretch, stretch)
	}
	for len(s.open) > 0 {
		start := r.at
		i := r.instruction()
		if r.err != nil {
			return r.err
		}
		// Before an else or end the path may already have left; the fuel is
		// taken after it.
		if stretch > stretchBytes && i.op != opElse && i.op != opEnd {
			s.points = append(s.points, point{at: start})
			stretch = 0
		}
		stretch += r.at - start
		if slow(i.op) {
			stretch += slowBytes
		}
		entered = entered && plain(i.op)
		switch i.op {
		case opBlock:
			s.open = append(s.open, label{op: opBlock})
			s.blocks++
		case opIf:
			s.open = append(s.open, label{op: opIf, entry: stretch})
			s.blocks++
		case opLoop:
			if entered && len(s.points) == 1 {
				// Whoever enters the function comes here next, so that one unit is
				// for both. Nearly every function of a Go guest begins like this.
				s.points = s.points[:0]
			}
			s.points = append(s.points, point{at: r.at})
			stretch = 0
			s.open = append(s.open, label{op: opLoop})
			s.blocks++
			s.loops++
		case opElse:
			branch(0)
			l := &s.open[len(s.open)-1]
			l.op, stretch = opElse, l.entry
		case opEnd:
			l := s.open[len(s.open)-1]
			s.open = s.open[:len(s.open)-1]
			switch l.op {
			case opIf: // without an else: its entry leads here too
				stretch = max(stretch, l.stretch, l.entry)
			case opBlock, opElse:
				stretch = max(stretch, l.stretch)
			}
		case opBr:
			branch(i.arg)
			stretch = 0
		case opBrIf:
			branch(i.arg)
		case opBrTable:
			for _, depth := range i.targets {
				branch(depth)
			}
			stretch = 0
			s.branches += uint64(len(i.targets))
		case opReturn:
			s.points = append(s.points, point{at: start, leave: len(s.open)})
			stretch = 0
		case opUnreachable:
			stretch = 0
		case opCall, opCallInd:
			s.calls = true
		case opLocalGet, opLocalSet, opLocalTee:
			if uint64(i.arg) >= locals {
				r.failf("code uses a local that does not exist")
			}
		case opGlobalGet, opGlobalSet:
			if i.arg >= s.global {
				r.failf("code uses a global that does not exist")
			}
		case opMemoryGrow:
			s.points = append(s.points, point{at: start, bulk: perPage})
		case opMisc:
			switch i.sub {
			case miscMemoryInit, miscMemoryCopy, miscMemoryFill:
				s.points = append(s.points, point{at: start, bulk: perByte})
			case miscTableGrow:
				r.fault(Feature, "table.grow is not taken: a table has the size it begins with")
			case miscTableInit, miscTableCopy, miscTableFill:
				s.points = append(s.points, point{at: start, bulk: perElement})
			}
		}
		if len(s.open) > NestingMax {
			r.fault(TooComplex, "blocks are nested deeper than %d", NestingMax)
		}
		if r.err != nil {
			return r.err
		}
		s.frame.step(i)
	}
	if r.at != len(r.data) {
		return malformed("a function has code after its end")
	}
	return nil
}

// slow reports whether a processor takes some ten times longer for the
// instruction than for others. Each counts as slowBytes of code more.
func slow(op byte) bool {
	return op >= opI32DivS && op <= opI32RemU || op >= opI64DivS && op <= opI64RemU ||
		op == opF32Sqrt || op == opF32Div || op == opF64Sqrt || op == opF64Div
}

const slowBytes = 48

// plain reports whether what follows the instruction is the next one, at once, or
// nothing at all.
func plain(op byte) bool {
	switch op {
	case opBlock, opLoop, opGlobalGet, opGlobalSet, opI32Const, opI64Const:
		return true
	}
	return op >= opLocalGet && op <= opLocalTee || op >= opLoadFirst && op <= opStoreLast ||
		op >= opNumericFirst && op <= opNumericLast
}

// take takes one unit of fuel.
func (m *meter) take(dst []byte, left uint32) []byte {
	dst = AppendU32(append(dst, opGlobalGet), m.global)
	return m.check(append(dst, opI64Const, 1, opI64Sub), left)
}

// takeBulk takes fuel for the length that is on top of the stack, and leaves it
// there.
func (m *meter) takeBulk(dst []byte, b *bulk, left, length uint32) []byte {
	dst = AppendU32(append(dst, opLocalTee), length)
	dst = AppendU32(append(dst, opGlobalGet), m.global)
	dst = AppendU32(append(dst, opLocalGet), length)
	dst = append(dst, opI64ExtendU)
	if b.left > 0 {
		dst = append(dst, opI64Const, b.left, opI64Shl)
	} else {
		dst = append(dst, opI64Const, b.right, opI64ShrU)
	}
	return m.check(append(dst, opI64Sub), left)
}

// check stores what is left, which is on the stack, and stops if it is negative.
func (m *meter) check(dst []byte, left uint32) []byte {
	dst = AppendU32(append(dst, opLocalTee), left)
	dst = AppendU32(append(dst, opGlobalSet), m.global)
	dst = AppendU32(append(dst, opLocalGet), left)
	return append(dst, opI64Const, 0, opI64LtS, opIf, emptyBlock&0x7f, opUnreachable, opEnd)
}

// change puts the depth, more or less by the weight, on the stack.
func (m *meter) change(dst []byte, weight int64, op byte) []byte {
	dst = AppendU32(append(dst, opGlobalGet), m.global+1)
	return append(appendS64(append(dst, opI32Const), weight), op)
}

// enter takes a running function's weight from the depth.
func (m *meter) enter(dst []byte, weight int64, left uint32) []byte {
	dst = AppendU32(append(m.change(dst, weight, opI32Sub), opLocalTee), left)
	dst = AppendU32(append(dst, opGlobalSet), m.global+1)
	dst = AppendU32(append(dst, opLocalGet), left)
	return append(dst, opI32Const, 0, opI32LtS, opIf, emptyBlock&0x7f, opUnreachable, opEnd)
}

// appendS64 appends a signed LEB128 number.
func appendS64(dst []byte, n int64) []byte {
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(dst, b)
		}
		dst = append(dst, b|0x80)
	}
}
