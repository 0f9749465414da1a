// Package secret holds what a tenant entrusts to a node and nobody else may see:
// tokens and passwords that requests carry, keys that callers show, certificates.
//
// They are files, <dir>/<tenant>/<name>, one secret a file, as a mounted volume
// gives them. A secret belongs to its tenant; there is no common one. Connectors,
// configurations and the log of commands know it by its name only, as
// {{secret:name}}; the value is put in at the last moment, for whom it is bound to,
// and taken out of whatever comes back.
//
// A file may be replaced at any time: whoever asks next gets the new value, without
// a restart and without a new configuration. Replace it by renaming another one over
// it, as mounted volumes and certificate agents do. A file that is written in place
// is waited for until it has been quiet for a moment; one that is missing, empty or
// too long changes nothing, and the log says which.
//
// It is no vault: it neither fetches secrets nor encrypts them where they lie.
//
// Begin with Store. Set is what an outside endpoint is bound to.
package secret
