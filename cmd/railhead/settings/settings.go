// Package settings reads the configuration of every railhead process: one
// schema, filled from a YAML file, then from RAILHEAD_* variables of the
// environment, then from flags, each over the one before. A key that the schema
// does not have is refused with its path, wherever it stands; a spelling mistake
// never becomes a default. Begin with Load.
package settings

import (
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// envPrefix begins every variable of the environment that is a setting:
// node.data_dir is RAILHEAD_NODE_DATA_DIR.
const envPrefix = "RAILHEAD_"

// notSettings are variables with our prefix that something else reads: the file
// to load, and where tests find their data.
var notSettings = []string{"RAILHEAD_CONFIG", "RAILHEAD_SHARED", "RAILHEAD_POSTGRES", "RAILHEAD_KAFKA", "RAILHEAD_BIN", "RAILHEAD_REWRITE"}

// Sources is where settings come from.
type Sources struct {
	File  string            // path of a YAML file; empty: none
	Env   []string          // NAME=value, as os.Environ gives them
	Flags map[string]string // by key
}

// Load reads the settings. Its errors name the source, the key and what is wrong.
func Load(from Sources) (Settings, error) {
	schema := keysOf(Default())
	k := koanf.New(".")
	if from.File != "" {
		if _, err := os.Stat(from.File); err != nil {
			return Settings{}, fmt.Errorf("configuration: %w", err)
		}
		if err := k.Load(file.Provider(from.File), yaml.Parser()); err != nil {
			return Settings{}, fmt.Errorf("configuration %s: %w", from.File, err)
		}
		// Decoded alone first, so that an error can name the file.
		if _, err := decode(k); err != nil {
			return Settings{}, fmt.Errorf("configuration %s: %w", from.File, err)
		}
	}
	env, err := fromEnv(schema, from.Env)
	if err != nil {
		return Settings{}, err
	}
	for _, layer := range []map[string]any{env, anyMap(from.Flags)} {
		if err := k.Load(confmap.Provider(layer, "."), nil); err != nil {
			return Settings{}, fmt.Errorf("configuration: %w", err)
		}
	}
	s, err := decode(k)
	if err != nil {
		return Settings{}, fmt.Errorf("configuration: %w", err)
	}
	return s, nil
}

func anyMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// fromEnv turns RAILHEAD_NODE_LIMITS_LANE_SHARE=x into node.limits.lane_share: x. The schema says
// which underscores are dots.
func fromEnv(schema []string, env []string) (map[string]any, error) {
	byName := make(map[string]string, len(schema))
	for _, key := range schema {
		byName[EnvName(key)] = key
	}
	out := map[string]any{}
	var unknown []string
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(notSettings, name) {
			continue
		}
		key, ok := byName[name]
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		out[key] = value
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, fmt.Errorf("environment: no setting is called %s", strings.Join(unknown, ", "))
	}
	return out, nil
}

// EnvName is the variable of the environment that sets a key.
func EnvName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// decode fills the schema over its defaults. Unknown keys are all named at once.
func decode(k *koanf.Koanf) (Settings, error) {
	s := Default()
	var meta mapstructure.Metadata
	err := k.UnmarshalWithConf("", &s, koanf.UnmarshalConf{Tag: tag, DecoderConfig: &mapstructure.DecoderConfig{
		TagName:          tag,
		Metadata:         &meta,
		WeaklyTypedInput: true, // the environment and flags bring texts
		MatchName:        func(key, field string) bool { return key == field },
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			wholeNumbers,
			mapstructure.StringToTimeDurationHookFunc(),
			mapstructure.StringToSliceHookFunc(","),
			mapstructure.TextUnmarshallerHookFunc(),
		),
	}})
	if err != nil {
		return Settings{}, tidy(err)
	}
	if len(meta.Unused) > 0 {
		slices.Sort(meta.Unused)
		return Settings{}, fmt.Errorf("unknown key %s", strings.Join(meta.Unused, ", "))
	}
	return s, nil
}

// wholeNumbers refuses what the decoder's leniency would wrap or cut: a negative
// number for one that cannot be, a fraction for a whole one, a
// duration without its unit.
func wholeNumbers(_, to reflect.Type, value any) (any, error) {
	var number float64
	switch v := value.(type) {
	case int:
		number = float64(v)
	case float64:
		number = v
	default:
		return value, nil
	}
	if to == reflect.TypeFor[time.Duration]() {
		return nil, fmt.Errorf("%v has no unit: write it as in 5s", value)
	}
	if to.Kind() >= reflect.Uint && to.Kind() <= reflect.Uint64 && number < 0 {
		return nil, fmt.Errorf("%v is negative", value)
	}
	if to.Kind() >= reflect.Int && to.Kind() <= reflect.Uint64 && number != math.Trunc(number) {
		return nil, fmt.Errorf("%v is no whole number", value)
	}
	return value, nil
}

// tidy takes the decoder's heading off its list of faults.
func tidy(err error) error {
	text := strings.TrimPrefix(err.Error(), "decoding failed due to the following error(s):")
	return errors.New(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' }), "; "))
}
