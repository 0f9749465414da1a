package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/core"
	"github.com/railhead-hub/railhead/opsd"
)

// tag is the struct tag that gives a field its name in the schema.
const tag = "koanf"

// Settings is the schema: everything that a configuration may say.
type Settings struct {
	Log    Log         `koanf:"log"`
	Client Client      `koanf:"client"`
	Node   core.Config `koanf:"node"`
	Opsd   opsd.Config `koanf:"opsd"`
}

// Log says what a process logs, and how.
type Log struct {
	Level  string `koanf:"level" help:"debug, info, warn or error"`
	Format string `koanf:"format" help:"text or json"`
}

// Client says where the command line finds a cluster and its back office.
type Client struct {
	Control string `koanf:"control" help:"URL of a node's control address"`
	Ops     string `koanf:"ops" help:"URL of opsd"`
	Actor   string `koanf:"actor" help:"who acts, for the audit topic; the user's name unless set"`
	// TLS is an administrator's certificate, for nodes beyond loopback.
	TLS core.TLS `koanf:"tls"`
}

// Default is what holds where nothing is said.
func Default() Settings {
	return Settings{
		Log:    Log{Level: "info", Format: "text"},
		Client: Client{Control: "http://127.0.0.1:8404", Ops: "http://127.0.0.1:8403"},
		Node:   core.Default(),
		Opsd:   opsd.Default(),
	}
}

// Key is one setting.
type Key struct {
	Name    string // dotted, as in the file without its nesting
	Help    string
	Default string
	Kind    reflect.Kind
}

// Keys lists the settings below a section ("node"), or all ("").
func Keys(section string) []Key {
	var out []Key
	walk("", reflect.ValueOf(Default()), func(k Key) {
		if section == "" || strings.HasPrefix(k.Name, section+".") {
			out = append(out, k)
		}
	})
	return out
}

func keysOf(s Settings) []string {
	var out []string
	walk("", reflect.ValueOf(s), func(k Key) { out = append(out, k.Name) })
	slices.Sort(out)
	return out
}

// walk visits the fields that one text can set: scalars, durations and lists of
// texts. Lists and maps of structs are for the file alone.
func walk(path string, v reflect.Value, visit func(Key)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		if path != "" {
			name = path + "." + name
		}
		field := v.Field(i)
		switch field.Kind() {
		case reflect.Struct:
			walk(name, field, visit)
		case reflect.Map, reflect.Func, reflect.Interface, reflect.Pointer, reflect.Chan:
		case reflect.Slice:
			if field.Type().Elem().Kind() == reflect.String {
				visit(Key{Name: name, Help: f.Tag.Get("help"), Kind: field.Kind(), Default: strings.Join(field.Interface().([]string), ",")})
			}
		default:
			visit(Key{Name: name, Help: f.Tag.Get("help"), Kind: field.Kind(), Default: text(field)})
		}
	}
}

// IsBool says whether the setting is a switch.
func (k Key) IsBool() bool { return k.Kind == reflect.Bool }

// text writes a field as a flag would take it; zero is written as nothing, but
// for switches.
func text(v reflect.Value) string {
	if v.IsZero() && v.Kind() != reflect.Bool {
		return ""
	}
	return fmt.Sprint(v.Interface())
}

// Check says what is wrong with settings that decode well.
func (s Settings) Check() error {
	if err := s.Node.Check(); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if err := s.Opsd.Check(); err != nil {
		return fmt.Errorf("opsd: %w", err)
	}
	return nil
}
