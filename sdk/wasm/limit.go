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
	BranchTableMax  = 20_000
	BranchesMax     = 1_000_000 // of all br_tables together
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
