package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"

	sdktypescript "github.com/railhead-hub/railhead/sdk/typescript"
)

// typescript bundles a script and puts it into the engine of scripts. Neither Node
// nor a registry is asked; types are left to the author's editor.
var typescript = language{name: "TypeScript", markers: scriptEntries, compile: compileTypeScript}

// scriptEntries are where a script may begin.
var scriptEntries = []string{"src/main.ts", "src/main.js"}

func compileTypeScript(ctx context.Context, dir, _, out string) error {
	script, err := bundle(dir)
	if err != nil {
		return err
	}
	engine, err := quickjs(ctx)
	if err != nil {
		return err
	}
	module, err := snapshot(ctx, engine, script)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, module, 0o644); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}

// bundle makes one script of the connector's sources, of what they import from
// node_modules, if anything, and of the SDK.
func bundle(dir string) ([]byte, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	entry := ""
	for _, name := range scriptEntries {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			entry = name
			break
		}
	}
	sdk, err := sdktypescript.Files.ReadFile("src/railhead.ts")
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	text := string(sdk)
	result := api.Build(api.BuildOptions{
		AbsWorkingDir: dir,
		EntryPoints:   []string{entry},
		Outfile:       "connector.js",
		Bundle:        true,
		Format:        api.FormatIIFE,
		Platform:      api.PlatformNeutral,
		Target:        api.ES2023,
		MainFields:    []string{"module", "main"},
		Charset:       api.CharsetUTF8,
		LegalComments: api.LegalCommentsNone,
		KeepNames:     false,
		Plugins: []api.Plugin{{Name: "railhead", Setup: func(b api.PluginBuild) {
			b.OnResolve(api.OnResolveOptions{Filter: "^railhead$"}, func(api.OnResolveArgs) (api.OnResolveResult, error) {
				return api.OnResolveResult{Path: "railhead", Namespace: "sdk"}, nil
			})
			b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "sdk"}, func(api.OnLoadArgs) (api.OnLoadResult, error) {
				return api.OnLoadResult{Contents: &text, Loader: api.LoaderTS}, nil
			})
		}}},
	})
	var problems []error
	for _, m := range result.Errors {
		where := ""
		if m.Location != nil {
			where = fmt.Sprintf("%s:%d:%d: ", m.Location.File, m.Location.Line, m.Location.Column+1)
		}
		problems = append(problems, errors.New(where+m.Text))
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("build: the script in %s does not build:\n%w", dir, errors.Join(problems...))
	}
	for _, f := range result.OutputFiles {
		if filepath.Base(f.Path) == "connector.js" {
			return f.Contents, nil
		}
	}
	return nil, errors.New("build: the bundler made no script")
}
