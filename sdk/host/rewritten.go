package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/railhead-hub/railhead/sdk/wasm"
)

// rewritten is the folder of the cache that keeps what the meter made of modules,
// beside the native code, which is no less worth attacking. Each file is the
// SHA-256 of a metered module and then the module. Its name stands for the module,
// what the meter was told and the version of the meter, so that nothing in it ever
// has to be thrown away for being old; one that is damaged is made anew.
//
// The file saves the meter's pass over the code and nothing else: exports, imports,
// sizes and the manifest are checked at each opening, and what is read is validated
// as what is compiled.
const rewritten = "metered"

// metered is wasm.Meter's answer, from the cache if it is there.
func (m *Module) metered(module []byte) ([]byte, error) {
	options := wasm.MeterOptions{
		Fuel:           fuelExport,
		Depth:          depthExport,
		Initial:        initFuel,
		MemoryMaxPages: m.admitted.memoryPages,
		TableMax:       wasm.TableElementsMax,
		DepthMax:       depthMax,
	}
	if m.options.CacheDir == "" {
		return wasm.Meter(module, options)
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s %x %+v", m.Digest, wasm.Version(), options))
	dir := filepath.Join(m.options.CacheDir, rewritten)
	if err := privateDir(dir); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, hex.EncodeToString(key[:]))
	if kept, err := os.ReadFile(file); err == nil && len(kept) > sha256.Size {
		sum := sha256.Sum256(kept[sha256.Size:])
		if bytes.Equal(sum[:], kept[:sha256.Size]) {
			return kept[sha256.Size:], nil
		}
	}
	out, err := wasm.Meter(module, options)
	if err != nil {
		return nil, err
	}
	if err := keep(file, out); err != nil {
		m.log.Warn("a metered module is not kept for the next start", "error", err)
	}
	return out, nil
}

// keep writes the file as a whole or not at all.
func keep(file string, metered []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), "new-") // of mode 0600
	if err != nil {
		return err
	}
	sum := sha256.Sum256(metered)
	if _, err = f.Write(sum[:]); err == nil {
		_, err = f.Write(metered)
	}
	if errClose := f.Close(); err == nil {
		err = errClose
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // why it was not written matters more
	}
	return err
}
