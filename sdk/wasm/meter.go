package wasm

import (
	"math"
	"strings"
)

// MeterOptions say what Meter puts into a module.
type MeterOptions struct {
	// Export is the name under which the module exports its fuel, a mutable i64.
	Export string
	// Initial is the fuel of a new instance: what its start function and
	// _initialize may use.
	Initial int64
	// MemoryMaxPages becomes the memory's maximum where it declares none or a
	// larger one, in pages of 64 KiB; TableMax likewise, in elements.
	MemoryMaxPages, TableMax uint32
}

// Limits on code. They keep the compiler, whose time and memory grow with the
// square of some of these, from being the thing that runs for ever. Connectors in
// Go stay below a tenth of each.
const (
	NestingMax      = 5_000
	BranchTableMax  = 20_000
	LocalsMax       = 50_000    // of one function
	LocalsSumMax    = 5_000_000 // of a module
	FunctionMaxSize = 512 << 10
	// EffortMax bounds what a function asks of a compiler: at the head of each block
	// it may have to join what the paths there left in each local, so effort is the
	// blocks times the locals, and ten for each branch of a br_table. A unit costs a
	// compiler up to ten microseconds and one kilobyte.
	EffortMax    = 500_000 // of one function
	EffortSumMax = 10_000_000
)

// Meter bounds how long and how large a guest can become, by rewriting it. The
// code takes one unit of fuel at the entry of each function, or at the head of a
// loop that nothing but plain code leads to from there, at the head of each other
// loop, and wherever a path could run through more than stretchBytes of code
// without taking any; and before each bulk operation in proportion to its
// length. When there is none left it executes unreachable. A negative fuel after
// a trap therefore means that the guest was stopped. Memory and tables get a
// maximum.
//
// This is exact and cheap where a check of the clock is neither: the same step
// takes the same fuel on every node, and a loop costs a few instructions more
// where leaving the guest to look at a context costs a call.
//
// The new global has the last index of its kind, so nothing else is renumbered;
// code and exports that already use that index, which nothing valid does, are
// refused. The result still has to be validated, which compiling does.
func Meter(module []byte, options MeterOptions) ([]byte, error) {
	outline, err := Parse(module)
	if err != nil {
		return nil, err
	}
	m := meter{
		outline: outline,
		options: options,
		global:  uint32(outline.ImportedGlobals + outline.Globals),
	}
	for _, e := range outline.Exports {
		if e.Name == options.Export {
			return nil, malformed("it exports %s, which is the host's", e.Name)
		}
		if e.Kind == Global && e.Index >= m.global {
			return nil, malformed("export %q names a global that does not exist", e.Name)
		}
	}
	return m.module()
}

type meter struct {
	outline *Outline
	options MeterOptions
	global  uint32 // index of the fuel
	// What the functions so far have declared and asked for; see EffortMax.
	locals, effort uint64
}

// module writes the sections anew; the global and export sections are added
// where the module has none.
func (m *meter) module() ([]byte, error) {
	out := append([]byte(nil), Header...)
	hasGlobals, hasExports := false, false
	addMissing := func(before int) {
		if !hasGlobals && before > order(SectionGlobal) {
			out = AppendSection(out, SectionGlobal, m.globals([]byte{0}))
			hasGlobals = true
		}
		if !hasExports && before > order(SectionExport) {
			out = AppendSection(out, SectionExport, m.exports([]byte{0}))
			hasExports = true
		}
	}
	for _, s := range m.outline.Sections {
		if s.ID != SectionCustom {
			addMissing(order(s.ID))
		}
		switch s.ID {
		case SectionGlobal:
			out = AppendSection(out, s.ID, m.globals(s.Content))
			hasGlobals = true
		case SectionExport:
			out = AppendSection(out, s.ID, m.exports(s.Content))
			hasExports = true
		case SectionMemory:
			out = AppendSection(out, s.ID, m.memory())
		case SectionTable:
			content, err := m.tables(s.Content)
			if err != nil {
				return nil, err
			}
			out = AppendSection(out, s.ID, content)
		case SectionCode:
			content, err := m.code(s.Content)
			if err != nil {
				return nil, err
			}
			out = AppendSection(out, s.ID, content)
		case SectionCustom:
			// Names and debug information would no longer fit the code.
			if s.Name != "name" && !strings.HasPrefix(s.Name, ".debug") {
				out = append(out, s.Raw...)
			}
		default:
			out = append(out, s.Raw...)
		}
	}
	addMissing(math.MaxInt)
	return out, nil
}

// grow returns a vector's content with its count raised by one, ready for one
// more element. Parse has seen that the count is there.
func grow(content []byte) []byte {
	r := reader{data: content}
	n := r.u32()
	return append(AppendU32(nil, n+1), content[r.at:]...)
}

func (m *meter) globals(content []byte) []byte {
	out := append(grow(content), byte(I64), 1, opI64Const)
	return append(appendS64(out, m.options.Initial), opEnd)
}

func (m *meter) exports(content []byte) []byte {
	out := AppendU32(grow(content), uint32(len(m.options.Export)))
	out = append(append(out, m.options.Export...), byte(Global))
	return AppendU32(out, m.global)
}

func (m *meter) memory() []byte {
	out := AppendU32(nil, uint32(len(m.outline.Memories)))
	for _, l := range m.outline.Memories {
		out = appendLimits(out, l, m.options.MemoryMaxPages)
	}
	return out
}

func (m *meter) tables(content []byte) ([]byte, error) {
	r := reader{data: content}
	out := AppendU32(nil, r.u32())
	for range m.outline.Tables {
		out = append(out, r.byte())
		out = appendLimits(out, limits(&r), m.options.TableMax)
	}
	return out, r.err
}

// appendLimits lowers the maximum, but not below the minimum: whether that is
// too large is for admission to say.
func appendLimits(dst []byte, l Limits, most uint32) []byte {
	if limit := max(uint64(most), l.Min); !l.HasMax || l.Max > limit {
		l.Max = limit
	}
	return AppendU32(AppendU32(append(dst, 1), uint32(l.Min)), uint32(l.Max))
}

func (m *meter) code(content []byte) ([]byte, error) {
	r := reader{data: content}
	n := r.count()
	if r.err == nil && n != len(m.outline.Funcs) {
		return nil, malformed("%d functions have %d bodies", len(m.outline.Funcs), n)
	}
	out := AppendU32(make([]byte, 0, len(content)*2), uint32(n))
	var points []point
	var body []byte
	for f := range n {
		original := r.bytes(r.u32())
		if r.err != nil {
			return nil, r.err
		}
		var err error
		if body, points, err = m.function(body[:0], points[:0], original, len(m.outline.Funcs[f].Params)); err != nil {
			return nil, err
		}
		if len(original) > FunctionMaxSize {
			return nil, malformed("function %d has %d bytes of code, more than %d", f, len(original), FunctionMaxSize)
		}
		out = append(AppendU32(out, uint32(len(body))), body...)
	}
	if r.at != len(r.data) {
		return nil, malformed("the code section has bytes left over")
	}
	return out, r.err
}

// point is where fuel is taken: before the byte at that offset of the body.
type point struct {
	at   int
	bulk *bulk // nil: one unit
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

// function appends the metered body to dst. It reads the body twice: first to
// find where to take how much, then to copy it.
func (m *meter) function(dst []byte, points []point, body []byte, params int) ([]byte, []point, error) {
	r := &reader{data: body}
	groups := r.count()
	afterCount := r.at
	locals := uint64(params)
	for range groups {
		locals += uint64(r.u32())
		r.byte()
	}
	if locals > LocalsMax {
		return nil, nil, malformed("a function has %d locals, more than %d", locals, LocalsMax)
	}
	if m.locals += locals; m.locals > LocalsSumMax {
		return nil, nil, malformed("the functions have more than %d locals together", LocalsSumMax)
	}
	begin := r.at
	points = append(points, point{at: begin})
	points, shape, err := m.scan(r, points)
	if err != nil {
		return nil, nil, err
	}
	effort := shape.blocks*(locals+2) + 10*shape.branches
	if effort > EffortMax {
		return nil, nil, malformed("a function with %d blocks, %d locals and br_tables of %d branches is too much for the compiler",
			shape.blocks, locals, shape.branches)
	}
	if m.effort += effort; m.effort > EffortSumMax {
		return nil, nil, malformed("the functions have too many blocks, locals and br_tables together for the compiler")
	}

	dst = AppendU32(dst, uint32(groups)+2)
	dst = append(dst, body[afterCount:begin]...)
	dst = append(dst, 1, byte(I64), 1, byte(I32))
	left, length := uint32(locals), uint32(locals)+1
	from := begin
	for _, p := range points {
		dst = append(dst, body[from:p.at]...)
		from = p.at
		if p.bulk != nil {
			dst = m.takeBulk(dst, p.bulk, left, length)
		} else {
			dst = m.take(dst, left)
		}
	}
	return append(dst, body[from:]...), points, nil
}

// label is an open block. stretch is the longest code that can have run since
// fuel was last taken, on any path that leaves through this label; entry is that
// at the start of an if, where its else begins.
type label struct {
	op             byte
	stretch, entry int
}

// shape is what of a body makes work for a compiler.
type shape struct{ blocks, branches uint64 }

// scan finds where a body has to take fuel. It follows the longest stretch of
// code without any along every path, which is easy since code is structured:
// jumps go forward to the end of an open block, or back to the head of a loop,
// where fuel is taken anyway.
func (m *meter) scan(r *reader, points []point) ([]point, shape, error) {
	var shape shape
	open := []label{{op: opBlock}}
	stretch := 0
	// entered is set until the body comes to a place that it may leave another way
	// than by the next instruction, or that may take long.
	entered := true
	branch := func(depth uint32) {
		if uint64(depth) >= uint64(len(open)) {
			r.failf("a branch leaves more blocks than there are")
			return
		}
		l := &open[len(open)-1-int(depth)]
		l.stretch = max(l.stretch, stretch)
	}
	for len(open) > 0 {
		start := r.at
		i := r.instruction()
		if r.err != nil {
			return nil, shape, r.err
		}
		// Before an else or end the path may already have left; the fuel is
		// taken after it.
		if stretch > stretchBytes && i.op != opElse && i.op != opEnd {
			points = append(points, point{at: start})
			stretch = 0
		}
		stretch += r.at - start
		entered = entered && plain(i.op)
		switch i.op {
		case opBlock, opIf, opLoop:
			shape.blocks++
		case opBrTable:
			shape.branches += uint64(len(i.targets))
		}
		switch i.op {
		case opBlock:
			open = append(open, label{op: opBlock})
		case opIf:
			open = append(open, label{op: opIf, entry: stretch})
		case opLoop:
			if entered && len(points) == 1 {
				// Whoever enters the function comes here next, so that one unit is
				// for both. Nearly every function of a Go guest begins like this.
				points = points[:0]
			}
			points = append(points, point{at: r.at})
			stretch = 0
			open = append(open, label{op: opLoop})
		case opElse:
			branch(0)
			l := &open[len(open)-1]
			l.op, stretch = opElse, l.entry
		case opEnd:
			l := open[len(open)-1]
			open = open[:len(open)-1]
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
		case opReturn, opUnreachable:
			stretch = 0
		case opGlobalGet, opGlobalSet:
			if i.arg >= m.global {
				return nil, shape, malformed("code uses a global that does not exist")
			}
		case opMemoryGrow:
			points = append(points, point{at: start, bulk: perPage})
		case opMisc:
			switch i.sub {
			case miscMemoryInit, miscMemoryCopy, miscMemoryFill:
				points = append(points, point{at: start, bulk: perByte})
			case miscTableGrow:
				return nil, shape, malformed("table.grow is not taken: a table has the size it begins with")
			case miscTableInit, miscTableCopy, miscTableFill:
				points = append(points, point{at: start, bulk: perElement})
			}
		}
		if r.err != nil {
			return nil, shape, r.err
		}
		if len(open) > NestingMax {
			return nil, shape, malformed("blocks are nested deeper than %d", NestingMax)
		}
	}
	if r.at != len(r.data) {
		return nil, shape, malformed("a function has code after its end")
	}
	return points, shape, nil
}

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
	const noResult = 0x40
	dst = AppendU32(append(dst, opLocalTee), left)
	dst = AppendU32(append(dst, opGlobalSet), m.global)
	dst = AppendU32(append(dst, opLocalGet), left)
	return append(dst, opI64Const, 0, opI64LtS, opIf, noResult, opUnreachable, opEnd)
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
