package abi

// Limits that the host enforces and a guest may rely on.
const (
	// StepsMax is the number of history entries since the last checkpoint after
	// which the host ends the attempt instead of asking again.
	StepsMax = 64
	// EffectsMax is the number of effects one reply may hold.
	EffectsMax = 16
	// ReplyMaxBytes bounds an encoded StepReply.
	ReplyMaxBytes = 16 << 20
	// RequestMaxBytes bounds an encoded StepRequest.
	RequestMaxBytes = 16 << 20
	// StateMaxBytes bounds the state of a checkpoint.
	StateMaxBytes = 64 << 10
	// LogLineMaxBytes bounds one log line; the rest of it is cut off.
	LogLineMaxBytes = 4 << 10
	// SeedBytes is the length of StepRequest.seed.
	SeedBytes = 32
)

// Defaults for what a manifest leaves out, and the most it may ask for.
const (
	MemoryDefaultBytes = 64 << 20
	MemoryMaxBytes     = 1 << 30
	StepDefaultMillis  = 10
	StepMaxMillis      = 250
)
