package fspiop

import (
	"encoding/json"
	"unicode/utf8"
)

// Failure is an FSPIOP error, from a callback or a refused request.
type Failure struct {
	Code        string // four digits
	Description string
}

// ParseFailure reads {"errorInformation":{…}}. Anything beside the code and the
// description is ignored, whatever its form: some peers send the extension list as
// a bare array.
func ParseFailure(body []byte) (Failure, bool) {
	var in struct {
		Information struct {
			Code        string `json:"errorCode"`
			Description string `json:"errorDescription"`
		} `json:"errorInformation"`
	}
	if json.Unmarshal(body, &in) != nil || !validCode(in.Information.Code) {
		return Failure{}, false
	}
	f := Failure{Code: in.Information.Code, Description: in.Information.Description}
	for utf8.RuneCountInString(f.Description) > 128 {
		_, size := utf8.DecodeLastRuneInString(f.Description)
		f.Description = f.Description[:len(f.Description)-size]
	}
	return f, true
}

// JSON is the failure as a body, and as Payment Hub EE keeps it in the variable
// errorInformation.
func (f Failure) JSON() []byte {
	type information struct {
		Code        string `json:"errorCode"`
		Description string `json:"errorDescription"`
	}
	out, err := json.Marshal(map[string]information{"errorInformation": {f.Code, f.Description}})
	if err != nil {
		panic(err) // two strings always marshal
	}
	return out
}

func validCode(code string) bool {
	if len(code) != 4 || code[0] == '0' {
		return false
	}
	for i := range 4 {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}

// Verdict is what an error callback about a transfer proves.
type Verdict int

const (
	// Doubtful says that the transfer may still have been made, or be made.
	Doubtful Verdict = iota
	// Refused says that the transfer was not made and will not be.
	Refused
	// Unknown says that the hub does not know the transfer. That proves something only when
	// the transfer can no longer arrive there.
	Unknown
)

// OfTransfer judges an error callback to /transfers/{id}/error. The same path
// carries errors about an enquiry, and nothing tells the two apart. So only errors
// that can be about nothing but the transfer prove that it was refused: expired
// (33xx), refused for the payer (4xxx) or by the payee (5xxx).
//
// Network and server errors (1xxx, 2xxx) prove nothing: the reference adapter sends
// 2001 for a transfer it has credited. Nor do errors about the form of a message
// (30xx, 31xx), of which 3106 even says that a transfer of this id exists, nor 32xx
// but for 3208, which are about ids in whatever message it was.
func (f Failure) OfTransfer() Verdict {
	switch {
	case f.Code == "3208":
		return Unknown
	case len(f.Code) == 4 && f.Code >= "3300" && f.Code <= "5999":
		return Refused
	}
	return Doubtful
}

// AtOnce reports whether a synchronous refusal of a transfer proves that it was not
// made: the hub finds fault with the message's form (30xx, 31xx), which it would
// have found the first time too. 3106 says the opposite: a transfer of this id
// exists. Everything else a hub has to say about a transfer it says by callback.
func (f Failure) AtOnce() bool {
	return len(f.Code) == 4 && f.Code >= "3000" && f.Code <= "3199" && f.Code != "3106"
}
