package connector

import "testing"

func TestPerConfigReadsOnce(t *testing.T) {
	type settings struct {
		Currency string `json:"currency"`
		tenant   string
	}
	reads := 0
	read := PerConfig(func(c *Context) (settings, error) {
		reads++
		s := settings{Currency: "TZS", tenant: c.Tenant()}
		err := c.Config(&s)
		return s, err
	})
	for _, step := range []struct {
		config, tenant string
		want           settings
		fails          bool
		reads          int
	}{
		{`{"currency":"USD"}`, "green", settings{"USD", "green"}, false, 1},
		{`{"currency":"USD"}`, "green", settings{"USD", "green"}, false, 1},
		{`{"currency":"USD"}`, "blue", settings{"USD", "blue"}, false, 2},
		{`{}`, "blue", settings{"TZS", "blue"}, false, 3},
		{`{"currency":1}`, "blue", settings{"TZS", "blue"}, true, 4},
		{`{"currency":1}`, "blue", settings{"TZS", "blue"}, true, 4},
		{`{}`, "blue", settings{"TZS", "blue"}, false, 5},
	} {
		got, err := read(&Context{config: step.config, tenant: step.tenant})
		if got != step.want || (err != nil) != step.fails || reads != step.reads {
			t.Errorf("%s of %s: %v, %v after %d reads; want %v after %d", step.config, step.tenant, got, err, reads, step.want, step.reads)
		}
	}
}

// TestPerConfigHasNoEffects: what was asked for while the configuration is read
// would be asked for in the first step only.
func TestPerConfigHasNoEffects(t *testing.T) {
	read := PerConfig(func(c *Context) (uint64, error) { return c.Sequence("n") })
	defer func() {
		if said, _ := recover().(string); said != "connector: an effect is asked for while the configuration is read" {
			t.Errorf("%q", said)
		}
	}()
	_, _ = read(&Context{config: "{}"})
}
