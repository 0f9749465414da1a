package bank

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

// demo is the seed of the examples: customers of two institutions.
//
//go:embed demo.json
var demo []byte

// Seed is what a new ledger begins with.
type Seed struct {
	Accounts []SeedAccount `json:"accounts"`
	Tariffs  []Tariff      `json:"tariffs"`
}

// SeedAccount is an account and the balance it is opened with, which comes from
// the cash account of its institution; that one must stand before it.
type SeedAccount struct {
	OpenAccount
	OpeningBalance string `json:"opening_balance,omitempty"`
}

// ReadSeed reads a seed file; the name "demo" is the one built in.
func ReadSeed(name string) (Seed, error) {
	text := demo
	if name != "demo" {
		var err error
		if text, err = os.ReadFile(name); err != nil {
			return Seed{}, fmt.Errorf("read the seed: %w", err)
		}
	}
	var s Seed
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Seed{}, fmt.Errorf("the seed %s is not as it should be: %w", name, err)
	}
	return s, nil
}

// Seed opens the accounts that are not there yet and sets the tariffs. It may be
// called at every start; an account that is there is left as it is.
func (s *Server) Seed(ctx context.Context, seed Seed) error {
	err := s.ledger.store.update(ctx, func(t *tx) error {
		for _, f := range seed.Tariffs {
			if err := t.setTariff(f); err != nil {
				return fmt.Errorf("tariff of %s in %s: %w", f.Institution, f.Currency, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("seed the ledger: %w", err)
	}
	// A seed is done once, also at a bank that ignores the keys of others.
	once := Ledger{store: s.ledger.store, keys: KeysHonoured}
	for _, a := range seed.Accounts {
		if a.ID == "" {
			return fmt.Errorf("seed the ledger: the account of %s has no id", a.Name)
		}
		answer, err := once.perform(ctx, request{key: "seed/" + a.ID, deed: "seed", body: a.ID}, func(t *tx) (int, any, error) {
			out, err := t.seed(a)
			return http.StatusCreated, out, err
		})
		if err == nil && answer.status != http.StatusCreated {
			err = fmt.Errorf("refused: %s", answer.body)
		}
		if err != nil {
			return fmt.Errorf("seed account %s: %w", a.ID, err)
		}
	}
	return nil
}

func (t *tx) seed(a SeedAccount) (Account, error) {
	if _, err := t.openAccount(a.OpenAccount); err != nil {
		return Account{}, err
	}
	if a.OpeningBalance != "" {
		amount, err := parseAmount(a.OpeningBalance, a.Currency, false)
		if err != nil {
			return Account{}, err
		}
		cash, err := t.own(a.Institution, Cash, a.Currency)
		if err != nil {
			return Account{}, err
		}
		_, err = t.post(posting{
			kind: "opening", currency: a.Currency, cause: Cause{Reference: "opening/" + a.ID},
			legs: []leg{{cash, -amount}, {a.ID, amount}},
		})
		if err != nil {
			return Account{}, err
		}
	}
	return t.getAccount(a.ID)
}
