package bank

import (
	"cmp"
	"crypto/rand"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
)

// The roles of an account. A customer's may not be drawn below zero; the
// institution's own may, for they mirror money that is elsewhere.
const (
	Customer   = "customer"
	Settlement = "settlement" // the nostro at the payment scheme
	Fees       = "fees"       // fee income
	Cash       = "cash"       // where opening balances come from
)

// Identifier is a name by which a party outside knows an account.
type Identifier struct {
	Type  string `json:"type"` // one of identifierTypes
	Value string `json:"value"`
}

var identifierTypes = []string{"MSISDN", "IBAN", "ACCOUNT_ID", "EMAIL", "PERSONAL_ID", "BUSINESS", "DEVICE", "ALIAS"}

func (i Identifier) check() error {
	if !slices.Contains(identifierTypes, i.Type) {
		return refuse(BadRequest, "identifier type %q is not one of %s", clip(i.Type), strings.Join(identifierTypes, ", "))
	}
	return checkText("identifier value", i.Value, 1, 128)
}

// AccountRef names an account in one of three ways: by ID; by Institution, Type
// and Value of an identifier; or by Institution and Role, for the institution's
// own. The currency of the request tells accounts of one name apart.
type AccountRef struct {
	ID          string `json:"id,omitempty"`
	Institution string `json:"institution,omitempty"`
	Type        string `json:"type,omitempty"`
	Value       string `json:"value,omitempty"`
	Role        string `json:"role,omitempty"`
}

// Account is an account as the interface shows it. Amounts are decimal strings.
type Account struct {
	ID          string       `json:"id"`
	Institution string       `json:"institution"`
	Role        string       `json:"role"`
	Name        string       `json:"name"`
	Currency    string       `json:"currency"`
	Exponent    int          `json:"exponent"` // decimal places of the currency
	State       string       `json:"state"`    // open, blocked
	Balance     string       `json:"balance"`
	Held        string       `json:"held"`      // sum of the open holds
	Available   string       `json:"available"` // balance less held
	Identifiers []Identifier `json:"identifiers"`
	OpenedAt    string       `json:"opened_at"`
}

// OpenAccount asks for a new account. An empty ID is minted.
type OpenAccount struct {
	ID          string       `json:"id,omitempty"`
	Institution string       `json:"institution"`
	Role        string       `json:"role,omitempty"` // empty: customer
	Name        string       `json:"name"`
	Currency    string       `json:"currency"`
	Identifiers []Identifier `json:"identifiers,omitempty"`
}

// account is the row.
type account struct {
	id, institution, role, name, currency, state string
	balance, held, openedMS                      int64
}

const accountColumns = "id, institution, role, name, currency, state, balance, held, opened_ms"

func (a *account) scan(row interface{ Scan(...any) error }) error {
	return row.Scan(&a.id, &a.institution, &a.role, &a.name, &a.currency, &a.state, &a.balance, &a.held, &a.openedMS)
}

func (a *account) available() int64 { return a.balance - a.held }

func (t *tx) openAccount(o OpenAccount) (Account, error) {
	o.Role = cmp.Or(o.Role, Customer)
	if _, ok := currencies[o.Currency]; !ok {
		return Account{}, refuse(BadRequest, "currency %q is not an ISO 4217 code in use", clip(o.Currency))
	}
	if !slices.Contains([]string{Customer, Settlement, Fees, Cash}, o.Role) {
		return Account{}, refuse(BadRequest, "role %q is not customer, settlement, fees or cash", clip(o.Role))
	}
	if len(o.Identifiers) > 16 {
		return Account{}, refuse(BadRequest, "an account has at most 16 identifiers")
	}
	if err := errors.Join(checkName("institution", o.Institution), checkText("name", o.Name, 1, 128)); err != nil {
		return Account{}, err
	}
	if o.ID == "" {
		o.ID = mint("acc")
	} else if err := checkName("id", o.ID); err != nil {
		return Account{}, err
	}
	n, err := t.exec("INSERT INTO accounts (id, institution, role, name, currency, state, opened_ms) VALUES ($1, $2, $3, $4, $5, 'open', $6) ON CONFLICT DO NOTHING",
		o.ID, o.Institution, o.Role, o.Name, o.Currency, t.now)
	if err != nil {
		return Account{}, err
	}
	if n == 0 {
		return Account{}, refuse(AccountExists, "the id, or the institution's %s account in %s, is taken", o.Role, o.Currency)
	}
	for _, i := range o.Identifiers {
		if err := i.check(); err != nil {
			return Account{}, err
		}
		n, err := t.exec("INSERT INTO identifiers (institution, type, value, currency, account_id) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
			o.Institution, i.Type, i.Value, o.Currency, o.ID)
		if err != nil {
			return Account{}, err
		}
		if n == 0 {
			return Account{}, refuse(IdentifierTaken, "an account in %s has this %s already", o.Currency, i.Type)
		}
	}
	return t.getAccount(o.ID)
}

func (t *tx) getAccount(id string) (Account, error) {
	a, err := t.account(id, false)
	if err != nil {
		return Account{}, err
	}
	return t.show(a)
}

func (t *tx) show(a account) (Account, error) {
	out := Account{
		ID: a.id, Institution: a.institution, Role: a.role, Name: a.name, State: a.state,
		Currency: a.currency, Exponent: currencies[a.currency],
		Balance: formatAmount(a.balance, a.currency), Held: formatAmount(a.held, a.currency),
		Available:   formatAmount(a.available(), a.currency),
		Identifiers: []Identifier{}, OpenedAt: stamp(a.openedMS),
	}
	err := t.each(func(r *sql.Rows) error {
		var i Identifier
		err := r.Scan(&i.Type, &i.Value)
		out.Identifiers = append(out.Identifiers, i)
		return err
	}, "SELECT type, value FROM identifiers WHERE account_id = $1 ORDER BY type, value", a.id)
	return out, err
}

// account reads a row; lock holds it until the transaction ends.
func (t *tx) account(id string, lock bool) (account, error) {
	if err := checkText("account", id, 1, 64); err != nil {
		return account{}, err
	}
	query := "SELECT " + accountColumns + " FROM accounts WHERE id = $1"
	if lock {
		query += t.lock
	}
	var a account
	err := a.scan(t.one(query, id))
	if errors.Is(err, sql.ErrNoRows) {
		return a, refuse(AccountNotFound, "there is no account %q", clip(id))
	}
	return a, err
}

// resolve finds the id of the account that ref names in the currency.
func (t *tx) resolve(ref AccountRef, currency string) (string, error) {
	for _, s := range []string{ref.ID, ref.Institution, ref.Type, ref.Value, ref.Role} {
		if err := checkText("an account's name", s, 0, 128); err != nil {
			return "", err
		}
	}
	var query string
	args := []any{ref.Institution, currency}
	switch {
	case ref.ID != "" && ref == AccountRef{ID: ref.ID}:
		var have string
		err := t.one("SELECT currency FROM accounts WHERE id = $1", ref.ID).Scan(&have)
		if errors.Is(err, sql.ErrNoRows) {
			return "", refuse(AccountNotFound, "there is no account %q", clip(ref.ID))
		}
		if err == nil && have != currency {
			return "", refuse(CurrencyMismatch, "the account is in %s, not in %s", have, currency)
		}
		return ref.ID, err
	case ref.ID == "" && ref.Institution != "" && ref.Role == "" && ref.Type != "" && ref.Value != "":
		query = "SELECT account_id FROM identifiers WHERE institution = $1 AND currency = $2 AND type = $3 AND value = $4"
		args = append(args, ref.Type, ref.Value)
	case ref.ID == "" && ref.Institution != "" && ref.Role != "" && ref.Role != Customer && ref.Type == "" && ref.Value == "":
		query = "SELECT id FROM accounts WHERE institution = $1 AND currency = $2 AND role = $3"
		args = append(args, ref.Role)
	default:
		return "", refuse(BadRequest, "name an account by id, by institution, type and value, or by institution and role (settlement, fees, cash)")
	}
	var id string
	err := t.one(query, args...).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	if ref.Role != "" {
		return "", refuse(AccountNotFound, "%s has no %s account in %s", clip(ref.Institution), ref.Role, currency)
	}
	var others int
	err = t.one("SELECT COUNT(*) FROM identifiers WHERE institution = $1 AND type = $2 AND value = $3",
		ref.Institution, ref.Type, ref.Value).Scan(&others)
	if err == nil && others > 0 {
		return "", refuse(CurrencyMismatch, "the party has no account in %s", currency)
	}
	if err == nil {
		err = refuse(AccountNotFound, "no account has this %s", clip(ref.Type))
	}
	return "", err
}

// listAccounts returns up to limit accounts with an id above after.
func (t *tx) listAccounts(institution, after string, limit int) ([]Account, error) {
	var rows []account
	err := t.each(func(r *sql.Rows) error {
		var a account
		err := a.scan(r)
		rows = append(rows, a)
		return err
	}, "SELECT "+accountColumns+" FROM accounts WHERE ($1 = '' OR institution = $1) AND id > $2 ORDER BY id LIMIT $3", institution, after, limit)
	out := make([]Account, 0, len(rows))
	for _, a := range rows {
		if err != nil {
			break
		}
		var shown Account
		shown, err = t.show(a)
		out = append(out, shown)
	}
	return out, err
}

// SetState blocks an account, which then neither pays nor is paid, or opens it
// again. Holds placed before can still be booked and released.
type SetState struct {
	State string `json:"state"` // open, blocked
}

func (t *tx) setState(id string, s SetState) (Account, error) {
	if s.State != "open" && s.State != "blocked" {
		return Account{}, refuse(BadRequest, "state %q is not open or blocked", clip(s.State))
	}
	if _, err := t.account(id, true); err != nil {
		return Account{}, err
	}
	if _, err := t.exec("UPDATE accounts SET state = $1 WHERE id = $2", s.State, id); err != nil {
		return Account{}, err
	}
	return t.getAccount(id)
}

// Party is who an identifier belongs to: what a payer may be shown.
type Party struct {
	Institution string         `json:"institution"`
	Type        string         `json:"type"`
	Value       string         `json:"value"`
	Name        string         `json:"name"`
	Accounts    []PartyAccount `json:"accounts"` // one per currency, in order of currency
}

// PartyAccount is one account of a party.
type PartyAccount struct {
	ID       string `json:"id"`
	Currency string `json:"currency"`
	State    string `json:"state"`
}

func (t *tx) getParty(institution, kind, value string) (Party, error) {
	if institution == "" {
		return Party{}, refuse(BadRequest, "the query parameter institution is missing")
	}
	if err := (Identifier{Type: kind, Value: value}).check(); err != nil {
		return Party{}, err
	}
	p := Party{Institution: institution, Type: kind, Value: value}
	err := t.each(func(r *sql.Rows) error {
		var a PartyAccount
		var name string
		err := r.Scan(&a.ID, &a.Currency, &a.State, &name)
		p.Name = cmp.Or(p.Name, name)
		p.Accounts = append(p.Accounts, a)
		return err
	}, `SELECT a.id, a.currency, a.state, a.name FROM identifiers i JOIN accounts a ON a.id = i.account_id
		WHERE i.institution = $1 AND i.type = $2 AND i.value = $3 ORDER BY a.currency`, institution, kind, value)
	if err == nil && len(p.Accounts) == 0 {
		err = refuse(PartyNotFound, "no account of %s has this %s", clip(institution), kind)
	}
	return p, err
}

// checkName admits what stands in paths and logs without escaping.
func checkName(what, s string) error {
	ok := s != "" && len(s) <= 64
	for _, c := range []byte(s) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if !ok {
		return refuse(BadRequest, "%s %q is not 1 to 64 of letters, digits, '-', '_' and '.'", what, clip(s))
	}
	return nil
}

func checkText(what, s string, bytesMin, bytesMax int) error {
	if len(s) < bytesMin || len(s) > bytesMax {
		return refuse(BadRequest, "%s is not %d to %d bytes long", what, bytesMin, bytesMax)
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return refuse(BadRequest, "%s holds a control character or is not UTF-8", what)
		}
	}
	return nil
}

// mint makes an id that was never used: 130 random bits after the prefix.
func mint(prefix string) string {
	return prefix + "-" + strings.ToLower(rand.Text())
}

// stamp writes a time for people and programs outside; 0 is absent.
func stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
