package abi

// The names of the boundary.
const (
	// ExportMarker is exported by every module of this major version.
	ExportMarker = "railhead_abi_v1"
	ExportMemory = "memory"
	// ExportInitialize runs once per instance, before the first call.
	ExportInitialize = "_initialize"
	ExportBuf        = "railhead_buf"
	ExportStep       = "railhead_step"
	// ExportStart marks a command, not a reactor; such a module is refused.
	ExportStart = "_start"

	ImportModule = "railhead"
	ImportLog    = "log"
	// ImportWASI is the module whose stand-ins language runtimes may import.
	ImportWASI = "wasi_snapshot_preview1"

	// SectionManifest is the custom section with the encoded Manifest.
	SectionManifest = "railhead.manifest"
)

// Levels of railhead.log. They are those of log/slog; any other number counts as
// the nearest level below it.
const (
	LevelDebug = -4
	LevelInfo  = 0
	LevelWarn  = 4
	LevelError = 8
)
