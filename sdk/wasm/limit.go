package wasm

// Limits on what a module may hold. They keep the compiler, whose time and memory
// grow with the square of some of these, from being the thing that runs for ever,
// and lists, whose entries take many times the bytes in memory that they take in
// the module, from filling it.
const (
	TypesMax     = 10_000
	ValuesMax    = 100 // parameters of a function type, and results
	ImportsMax   = 1_000
	FunctionsMax = 100_000
	GlobalsMax   = 10_000
	ExportsMax   = 10_000
	// TablesMax and TableElementsMax bound the tables: each element takes eight
	// bytes of the node's memory, outside the guest's own. The latter is also a
	// limit on what element segments hold together.
	TablesMax        = 16
	TableElementsMax = 100_000
	ElementsMax      = 10_000 // segments
	DataMax          = 100_000
	DataBytesMax     = 24 << 20 // together

	NestingMax      = 5_000
	BranchTableMax  = 25_000
	BranchesMax     = 1_000_000 // of all br_tables together
	LocalsMax       = 5_000     // of one function, its parameters among them
	LocalsSumMax    = 1_000_000 // of a module
	OperandsMax     = 1_000     // on the stack of one function
	FunctionMaxSize = 256 << 10
	EffortMax       = 2_000_000 // of one function
	EffortSumMax    = 10_000_000
)

// effort estimates what a function asks of wazero's compiler, in microseconds of
// the machine that it was measured on, a server of 2024. It was fitted to code
// made to be slow to compile and is not far below what that takes; for ordinary
// code it is three or four times too much. What grows with a square are the
// blocks (an if of the meter is one) and the code, by the passes over all of it;
// what the head of a loop has to join is every local; and what lives for long,
// in locals or as operands, is in the way of everything else for as long.
//
// The largest connector of Railhead's has 3,400,000 units, and QuickJS with its
// largest function 1,000,000 and 330,000. Of modules made to be slow, those just
// below the limits compiled in one to six seconds (two of a function), with two
// hundred megabytes of memory.
func (s *scan) effort(size int, locals uint64) uint64 {
	bytes, kilobytes := uint64(size), uint64(size)>>10
	blocks := s.blocks + uint64(len(s.points))
	return 20 + bytes/4 + 50*kilobytes*kilobytes +
		blocks*blocks/16 + 4*s.loops*locals + 10*s.branches +
		bytes*(locals+uint64(s.frame.most))/500
}
