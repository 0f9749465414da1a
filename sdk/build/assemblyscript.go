package build

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	sdkassemblyscript "github.com/railhead-hub/railhead/sdk/assemblyscript"
)

// assemblyscript compiles assembly/main.ts with asc, which Node runs.
var assemblyscript = language{name: "AssemblyScript", markers: []string{"assembly/main.ts"}, compile: compileAssemblyScript}

// ascVersion is the compiler that is taken from npm's registry when the connector has
// none in its node_modules.
const ascVersion = "0.27.37"

// ascEntry exports the boundary beside what the connector serves.
const ascEntry = `import "./assembly/main";
export { railhead_abi_v1, railhead_buf, railhead_step } from "./railhead/index";
`

// compileAssemblyScript compiles in a folder of its own, where the connector's
// assembly/ and the SDK, as railhead/, lie side by side.
func compileAssemblyScript(ctx context.Context, dir, tmp, out string) error {
	sdk, err := fs.Sub(sdkassemblyscript.Files, "assembly")
	if err == nil {
		err = os.CopyFS(filepath.Join(tmp, "railhead"), sdk)
	}
	if err == nil {
		err = os.CopyFS(filepath.Join(tmp, "assembly"), os.DirFS(filepath.Join(dir, "assembly")))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(tmp, "entry.ts"), []byte(ascEntry), 0o644)
	}
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	command := []string{"npm", "exec", "--yes", "--package=assemblyscript@" + ascVersion, "--", "asc"}
	if own, err := filepath.Abs(filepath.Join(dir, "node_modules", ".bin", "asc")); err == nil {
		if _, err := os.Stat(own); err == nil {
			command = []string{own}
		}
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		return fmt.Errorf("build: AssemblyScript is compiled with Node and npm; on Debian: apt-get install nodejs npm: %w", err)
	}
	// The runtime collects garbage only when the SDK says so; abort, which would be an
	// import, is the SDK's.
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], "entry.ts", "--outFile", out, "--optimizeLevel", "3",
		"--runtime", "minimal", "--bindings", "none", "--exportStart", "_initialize", "--use", "abort=railhead/index/failed")...)
	cmd.Dir = tmp
	return run(cmd)
}
