package wasm

// This file reads what globals, tables and memory begin with.

// constant passes over a constant expression: one instruction and an end. More
// than one, as of a later proposal, is not in the core.
func (p *parser) constant(r *reader) {
	i := r.instruction()
	switch {
	case i.op == opI32Const, i.op == opI64Const, i.op == opF32Const, i.op == opF64Const,
		i.op == opRefNull, i.op == opRefFunc, i.op == opVector && i.sub == vectorConst:
	case i.op == opGlobalGet:
		if uint64(i.arg) >= uint64(p.out.ImportedGlobals) {
			r.failf("a constant expression reads a global that is not imported")
		}
	default:
		r.failf("opcode %#x is not constant", i.op)
	}
	if r.byte() != opEnd {
		r.fault(Feature, "a constant expression is longer than one instruction")
	}
}

func (p *parser) globals(r *reader) {
	p.out.Globals = r.entries(GlobalsMax, "globals")
	for range p.out.Globals {
		r.byte()
		r.byte()
		p.constant(r)
		if r.err != nil {
			return
		}
	}
}

func (p *parser) elements(r *reader) {
	sum := 0
	for range r.entries(ElementsMax, "element segments") {
		const (
			passive     = 1 << iota // or declared, if explicit is set too
			explicit                // it names a table, if it is active
			expressions             // instead of function indexes
		)
		flags := r.u32()
		if flags > 7 {
			r.failf("element segment kind %d is unknown", flags)
			return
		}
		if flags&passive == 0 {
			if flags&explicit != 0 {
				r.u32()
			}
			p.constant(r)
		}
		if flags&(passive|explicit) != 0 {
			r.byte() // the type
		}
		n := r.count()
		if sum += n; sum > TableElementsMax {
			r.fault(TooLarge, "the element segments hold more than %d elements", TableElementsMax)
		}
		for range n {
			if flags&expressions != 0 {
				p.constant(r)
			} else {
				r.u32()
			}
			if r.err != nil {
				return
			}
		}
	}
}

func (p *parser) data(r *reader) {
	sum := 0
	for range r.entries(DataMax, "data segments") {
		const passive, explicit = 1, 2
		flags := r.u32()
		if flags > explicit {
			r.failf("data segment kind %d is unknown", flags)
			return
		}
		if flags == explicit {
			r.u32()
		}
		if flags != passive {
			p.constant(r)
		}
		if sum += len(r.bytes(r.u32())); sum > DataBytesMax {
			r.fault(TooLarge, "the data segments hold more than %d bytes", DataBytesMax)
		}
		if r.err != nil {
			return
		}
	}
}
